import { InvalidTenantIdError } from '../errors/tenant.errors.js';

const TENANT_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;

/** Returns the id if it may become part of queue names, keys and database names; throws `InvalidTenantIdError` otherwise. */
export function assertTenantId(tenantId: unknown): string {
  if (typeof tenantId !== 'string' || !TENANT_ID.test(tenantId)) throw new InvalidTenantIdError(tenantId);
  return tenantId;
}
