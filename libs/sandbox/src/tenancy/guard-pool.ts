import type { Pool, PoolClient } from 'pg';

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
