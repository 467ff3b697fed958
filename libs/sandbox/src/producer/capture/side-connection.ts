import type { Pool, PoolConfig } from 'pg';
import type { DataSource } from 'typeorm';
import { PgSqlPool } from '../../tenancy/pg-sql-pool.js';
import type { TenantLease } from '../../tenancy/tenancy.js';

/**
 * Reads that capture makes while a writer holds a connection of the pool. With the pool's last connection they would
 * wait for each other for ever (writers for the read, the read for a writer's connection), so they get one of their
 * own: made when the pool has no idle one to give, closed after 10 s without use.
 */
export class SideConnection {
  private own: Pool | undefined;

  constructor(private readonly dataSource: DataSource) {}

  /** A lease for the script registry; the writer keeps the database open. */
  lease(tenantId: string): TenantLease {
    const release = () => undefined;
    const sql = new PgSqlPool(this.pool());
    return { tenantId, dataSource: this.dataSource, sql, release, [Symbol.asyncDispose]: async () => undefined };
  }

  private pool(): Pool {
    const { master } = this.dataSource.driver as unknown as { master: Pool };
    return master.idleCount > 0 ? master : (this.own ??= this.open(master));
  }

  private open(master: Pool): Pool {
    // the password is not enumerable, and would be left behind by the copy
    const { password } = master.options;
    const options: PoolConfig = {
      ...master.options,
      password,
      max: 1,
      min: 0,
      idleTimeoutMillis: 10_000,
      allowExitOnIdle: true,
    };
    const pool = new (master.constructor as new (options: PoolConfig) => Pool)(options);
    pool.on('error', () => undefined);
    this.closeWith(pool);
    return pool;
  }

  private closeWith(pool: Pool): void {
    const { dataSource } = this;
    const destroy = dataSource.destroy.bind(dataSource);
    dataSource.destroy = async () => {
      await pool.end();
      await destroy();
    };
  }
}
