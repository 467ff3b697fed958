import type { Pool, PoolClient, PoolConfig } from 'pg';
import type { DataSource } from 'typeorm';

const guardedPools = new WeakSet<Pool>();
const guardedClients = new WeakSet<PoolClient>();

const ignore = (): void => undefined;

/**
 * Keeps a lost connection from ending the process. pg-pool takes its own error listener off a client that it hands out,
 * and whoever gets it (TypeORM, or an `await`) adds one in a later microtask. A server that goes down sends its FATAL
 * right behind the last answer, often in the same packet, and so before that: Node ends the process for such an error.
 * One listener that stays is enough; who uses the client still learns of it from the statement that fails.
 */
export function guardPool(pool: Pool): void {
  if (guardedPools.has(pool)) return;
  guardedPools.add(pool);
  // Emitted before pg-pool's listener is taken off, also for clients that were made before.
  pool.on('acquire', (client: PoolClient) => {
    if (guardedClients.has(client)) return;
    guardedClients.add(client);
    client.on('error', ignore);
  });
}

/** Milliseconds that a connection may take to be made, or to be free, where the host does not say. */
const CONNECT_WITHIN_MS = 30_000;

/**
 * Guards the pools that a DataSource is going to make, from their first connection on. To be called before `initialize()`.
 * Where the host says nothing else, connections are probed by TCP while they are idle, and nobody waits for one for ever.
 */
export function guardDataSource(dataSource: DataSource): void {
  const driver = dataSource.driver as unknown as { postgres?: { Pool: new (options: PoolConfig) => Pool } };
  if (!driver.postgres) return;
  class GuardedPool extends driver.postgres.Pool {
    constructor(options: PoolConfig) {
      const { keepAlive = true, connectionTimeoutMillis = CONNECT_WITHIN_MS } = options;
      super({ ...options, keepAlive, connectionTimeoutMillis });
      guardPool(this);
    }
  }
  // What TypeORM loaded may be the module that everybody shares: it stays as it is.
  driver.postgres = Object.create(driver.postgres, { Pool: { value: GuardedPool } }) as { Pool: typeof GuardedPool };
}
