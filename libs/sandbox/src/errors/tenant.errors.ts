import { describeValue, SandboxError } from './sandbox-error.js';

/** A tenant id that cannot become part of queue names and keys. */
export class InvalidTenantIdError extends SandboxError {
  readonly code = 'SANDBOX_INVALID_TENANT_ID';
  constructor(tenantId: unknown) {
    super(
      `Invalid tenant id ${describeValue(tenantId)}: use 1 to 63 letters, digits, "-" and "_", starting with a letter or digit.`,
      { tenantId },
    );
  }
}

/** A tenant that `tenancy` does not list. */
export class UnknownTenantError extends SandboxError {
  readonly code = 'SANDBOX_UNKNOWN_TENANT';
  constructor(tenantId: string) {
    super(`Unknown tenant ${describeValue(tenantId)}: it is not among the tenants that the tenancy option lists.`, {
      tenantId,
    });
  }
}
