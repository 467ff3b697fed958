import type { Pool, PoolClient, PoolConfig } from 'pg';
import type { DataSource } from 'typeorm';
import { ConnectionWatch, type WatchedConnection } from './connection-watch.js';
import { bytesHeard, cutOff } from './pg-wire.js';

const guardedPools = new WeakSet<Pool>();
const guardedClients = new WeakSet<PoolClient>();

const ignore = (): void => undefined;

/**
 * Keeps a lost connection from ending the process. pg-pool takes its own error listener off a client that it hands out,
 * and whoever gets it (TypeORM, or an `await`) adds one in a later microtask. A server that goes down sends its FATAL
 * right behind the last answer, often in the same packet, and so before that: Node ends the process for such an error.
 * One listener that stays is enough; who uses the client still learns of it from the statement that fails.
 *
 * Clients that are in use are watched as well, so that a statement on a link that is dead without a word fails.
 */
export function guardPool(pool: Pool): void {
  if (guardedPools.has(pool)) return;
  guardedPools.add(pool);
  // Emitted before pg-pool's listener is taken off, also for clients that were made before.
  const inUse = new ClientsInUse();
  const watch = new ConnectionWatch(pool, inUse.connections);
  pool.on('release', (_error: unknown, client: PoolClient) => inUse.delete(client));
  pool.on('acquire', (client: PoolClient) => {
    inUse.add(client);
    watch.start();
    if (guardedClients.has(client)) return;
    guardedClients.add(client);
    client.on('error', ignore);
  });
}

/** Clients that somebody has checked out. */
class ClientsInUse {
  readonly connections = new Set<WatchedConnection>();
  private readonly known = new WeakMap<PoolClient, ClientInUse>();

  add(client: PoolClient): void {
    let connection = this.known.get(client);
    if (!connection) this.known.set(client, (connection = new ClientInUse(client)));
    this.connections.add(connection);
  }

  delete(client: PoolClient): void {
    const connection = this.known.get(client);
    if (connection) this.connections.delete(connection);
  }
}

/** What is not in the types of a `pg` client. */
type ClientState = PoolClient & { processID?: number; pipeline?: boolean; readyForQuery?: boolean };

/** A client in anybody's use; the library's own lanes look after themselves. */
class ClientInUse implements WatchedConnection {
  readonly ours = false;
  private heard = -1;
  private silentSince = 0;

  constructor(private readonly client: ClientState) {}

  get pid(): number | undefined {
    return this.client.processID ?? undefined;
  }

  unansweredMs(now: number): number {
    const idle = this.client.pipeline === true || this.client.readyForQuery !== false;
    const heard = bytesHeard(this.client);
    if (idle || heard !== this.heard) [this.heard, this.silentSince] = [idle ? -1 : heard, now];
    return now - this.silentSince;
  }

  destroy(): void {
    cutOff(this.client);
  }
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
