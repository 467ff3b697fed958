import { InvalidTenancyOptionError } from '../errors/tenant.errors.js';
import { ofTheHost } from './of-the-host.js';
import { assertTenantId } from './tenant-id.js';

/** Who the tenants are: their ids, or a function that lists them. */
export type Tenants = readonly string[] | (() => readonly string[] | Promise<readonly string[]>);

/**
 * The host's list of tenants. A function is asked again when a tenant is not in its last answer, or when that answer is
 * older than this: with 10,000 tenants a list per opening would cost more than the opening.
 */
const LIST_AGE_MS = 5_000;

/** Answers who the tenants are, and asks the host no more often than it has to. */
export class TenantList {
  private known: ReadonlySet<string> = new Set();
  private readAt = Number.NEGATIVE_INFINITY;

  /** Throws `InvalidTenancyOptionError`, and `InvalidTenantIdError` for a bad id in an array. */
  constructor(private readonly tenants: Tenants) {
    if (Array.isArray(tenants)) {
      this.known = new Set(tenants.map(assertTenantId));
      this.readAt = Number.POSITIVE_INFINITY;
    } else if (typeof tenants !== 'function') {
      throw new InvalidTenancyOptionError('tenants', tenants, 'give an array of ids, or a function that returns one');
    }
  }

  /** All ids, as the host lists them now. */
  async all(): Promise<readonly string[]> {
    if (typeof this.tenants === 'function') {
      this.known = new Set(await ofTheHost('tenants', this.tenants));
      this.readAt = performance.now();
    }
    return [...this.known];
  }

  /** Whether the host lists the tenant. */
  async has(tenantId: string): Promise<boolean> {
    if (performance.now() - this.readAt < LIST_AGE_MS && this.known.has(tenantId)) return true;
    if (typeof this.tenants === 'function') await this.all();
    return this.known.has(tenantId);
  }
}
