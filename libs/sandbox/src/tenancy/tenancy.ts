import type { DataSource } from 'typeorm';

/** A statement's answer. */
export interface SqlResult<Row = Record<string, unknown>> {
  readonly rows: Row[];
  readonly rowCount: number;
}

/** One statement. `name` makes it a prepared statement, parsed once a connection (measured: 2.5 times less server CPU). */
export interface SqlStatement {
  readonly text: string;
  readonly values?: readonly unknown[];
  readonly name?: string;
}

/** Runs statements: on any free connection (a pool), or all on the same one (a connection, a transaction). */
export interface SqlClient {
  query<Row = Record<string, unknown>>(statement: SqlStatement): Promise<SqlResult<Row>>;
}

/** A connection held until `release`; `broken` (an error happened on it) closes it instead of handing it on. */
export interface SqlConnection extends SqlClient {
  release(broken?: boolean): void;
}

/** The way past TypeORM to a tenant's database, for the library's own hot statements (decision 14). */
export interface SqlPool extends SqlClient {
  connect(): Promise<SqlConnection>;
  /**
   * Sends the statements one behind the other on one connection without waiting in between, inside BEGIN and COMMIT.
   * Rejects with the first error; nothing is committed then (or, where the connection broke at the COMMIT, all).
   */
  transaction(statements: readonly SqlStatement[]): Promise<readonly SqlResult[]>;
}

/** A tenant's database, open for as long as the lease is held. */
export interface TenantLease extends AsyncDisposable {
  readonly tenantId: string;
  readonly dataSource: DataSource;
  readonly sql: SqlPool;
  /** Gives the lease back; the database may be closed once nobody holds one. Idempotent. */
  release(): void;
}

/**
 * Who the tenants are, and how to reach a tenant's data.
 * Invariants (the exported suite `tenancyContract` checks them):
 * - two leases of one tenant share one DataSource; two tenants never do where `kind` is `database`;
 * - concurrent first leases of a tenant open it once (single flight); a failed opening is not remembered;
 * - a DataSource is never closed while leased, and is closed after `idleMs` without a lease;
 * - an unknown or invalid tenant id rejects with `UnknownTenantError` / `InvalidTenantIdError` and opens nothing;
 * - after `close` every lease rejects, and nothing is left open.
 */
export interface Tenancy {
  readonly kind: 'database' | 'schema' | 'column';
  /** Ids of all tenants, as the host lists them now. */
  tenants(): Promise<readonly string[]>;
  /** Opens the tenant's database if need be. */
  lease(tenantId: string): Promise<TenantLease>;
  /**
   * A short look into a tenant's database that does not count as use: an open database stays as idle as it was, a closed
   * one is not opened (the statements go over a connection of their own). The library's tables may not exist yet.
   */
  peek?<T>(tenantId: string, fn: (sql: SqlClient) => Promise<T>): Promise<T>;
  /** The tenant a DataSource belongs to, where the tenancy fixes it; `undefined` for any other DataSource. */
  tenantOf(dataSource: DataSource): string | undefined;
  /** Called with each tenant database right after it was opened and before the first lease of it resolves. */
  onOpen(listener: (lease: TenantLease) => Promise<void> | void): void;
  /** Waits for leases to come back (at most `drainMs`), then closes every DataSource. */
  close(drainMs?: number): Promise<void>;
}

/** Injection token of the `Tenancy`. */
export const TENANCY = Symbol.for('nestjs-sandbox:tenancy');
