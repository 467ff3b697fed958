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

/** A lease was asked for after the tenancy was closed (the process shuts down). */
export class TenancyClosedError extends SandboxError {
  readonly code = 'SANDBOX_TENANCY_CLOSED';
  constructor(tenantId: string) {
    super(
      `The database of tenant "${tenantId}" cannot be leased: the tenancy was closed. Lease before the application shuts down, and create a new tenancy for a new application.`,
      { tenantId },
    );
  }
}

/** The function `tenants` or `dataSource` of `databasePerTenant` threw. `cause` is what it threw. */
export class TenancyFunctionError extends SandboxError {
  readonly code = 'SANDBOX_TENANCY_FUNCTION';
  constructor(option: string, cause: unknown) {
    const said = cause instanceof Error ? cause.message : String(cause);
    super(
      `databasePerTenant: your function "${option}" threw: ${said}. Mend it; it is called again when it is needed.`,
      { option },
      cause,
    );
  }
}

/** An option of `databasePerTenant` makes no sense; thrown where it is called, or where `dataSource` was asked. */
export class InvalidTenancyOptionError extends SandboxError {
  readonly code = 'SANDBOX_INVALID_TENANCY_OPTION';
  constructor(option: string, value: unknown, remedy: string) {
    super(`databasePerTenant: option "${option}" cannot be ${describeValue(value)}: ${remedy}.`, { option, value });
  }
}

/** `dataSource(tenantId)` names a driver other than PostgreSQL. */
export class UnsupportedDriverError extends SandboxError {
  readonly code = 'SANDBOX_UNSUPPORTED_DRIVER';
  constructor(tenantId: string, driver: unknown) {
    super(
      `The data source of tenant "${tenantId}" has type ${describeValue(driver)}: the sandbox keeps its tables in the tenant's PostgreSQL database. Return { type: 'postgres', ... }.`,
      { tenantId, driver },
    );
  }
}

/** The library's tables are missing or too old, and `migrate: false` forbids creating them. */
export class SchemaNotMigratedError extends SandboxError {
  readonly code = 'SANDBOX_SCHEMA_NOT_MIGRATED';
  constructor(found: number, needed: number) {
    super(
      `This database has version ${found} of the sandbox tables, version ${needed} is needed, and option "migrate" is false. Apply MIGRATIONS with your own migrations, or set migrate: true.`,
      { found, needed },
    );
  }
}
