import type { Pool, PoolClient, QueryConfig, QueryResult } from 'pg';
import { ConnectionWatch, type WatchedConnection } from './connection-watch.js';
import { cutOff, holdWrites } from './pg-wire.js';
import type { SqlStatement } from './tenancy.js';

/** Most connections of a pool that statements share as long as all goes fast. */
const MOST_LANES = 4;
/** Statements under way on every lane before another one is opened. */
const SHARED_BY = 4;
/** Milliseconds one statement may take before others avoid its lane: it waits for a lock, or reads a lot. */
const SLOW_MS = 5;

/**
 * Connections of a pool that statements share while they are under way, instead of taking one each. Each is sent without
 * waiting for those before it, all of a turn of the event loop in one write, and answered in order; an error is that
 * statement's alone. On a processor with 16 runs in flight the writes to sockets were a sixth of its main thread.
 *
 * A lane goes back to the pool when nothing is under way on it. Statements behind a slow one wait for it, at most
 * those that came within 5 ms.
 */
export class PgLanes {
  private readonly lanes = new Set<Lane>();
  private readonly watch: ConnectionWatch;

  constructor(private readonly pool: Pool) {
    this.watch = new ConnectionWatch(pool, this.lanes);
  }

  /** Sends the statements one behind the other on one lane. Rejects with the first error, when all are answered. */
  async send(statements: readonly SqlStatement[]): Promise<readonly QueryResult[]> {
    const lane = this.choose();
    try {
      return await lane.send(statements);
    } finally {
      if (lane.load === 0 && this.lanes.delete(lane)) lane.close();
    }
  }

  private choose(): Lane {
    const now = performance.now();
    let best: Lane | undefined;
    for (const lane of this.lanes) if (!best || lane.cost(now) < best.cost(now)) best = lane;
    if (best && (best.cost(now) < SHARED_BY || !this.mayOpen(best.isSlow(now)))) return best;
    const opened = new Lane(this.pool);
    this.lanes.add(opened);
    this.watch.start();
    return opened;
  }

  /** Half of the connections are for those who need one to themselves, unless every lane is held up. */
  private mayOpen(heldUp: boolean): boolean {
    const most = this.pool.options.max;
    return this.lanes.size < (heldUp ? most : Math.min(MOST_LANES, most / 2));
  }
}

/** A `pg` client; `pipeline` is there from pg 8.23 on. */
type Client = PoolClient & { pipeline?: boolean; processID?: number };

/** A connection that several share. An older pg sends their statements one at a time. */
class Lane implements WatchedConnection {
  readonly ours = true;
  /** Statements under way. */
  load = 0;
  private readonly client: Promise<Client>;
  private opened: Client | undefined;
  private pipelined: boolean | undefined;
  /** When the statement that is being answered became the first. */
  private firstSince = performance.now();
  private held = false;
  private broken = false;
  // pg-pool takes its own error listener off a client that is in use; without one a lost connection ends the process.
  private readonly onError = (): void => void (this.broken = true);

  constructor(pool: Pool) {
    this.client = pool.connect().then((client) => this.open(client));
  }

  /** What a statement more would have to wait for, in statements. */
  cost(now: number): number {
    return this.load + (this.isSlow(now) ? 1_000 : 0);
  }

  /** Whether the statement that is being answered takes its time. */
  isSlow(now: number): boolean {
    return now - this.firstSince > SLOW_MS;
  }

  get pid(): number | undefined {
    return this.opened?.processID ?? undefined;
  }

  unansweredMs(now: number): number {
    return now - this.firstSince;
  }

  destroy(): void {
    if (this.opened) cutOff(this.opened);
  }

  async send(statements: readonly SqlStatement[]): Promise<readonly QueryResult[]> {
    this.load += statements.length;
    let waiting = statements.length;
    try {
      const client = await this.client;
      this.hold(client);
      const asked = statements.map((statement) => this.ask(client, statement));
      waiting = 0;
      return asked.length === 1 ? [await (asked[0] as Promise<QueryResult>)] : await allOf(asked);
    } finally {
      this.load -= waiting;
    }
  }

  /** Gives the connection back. To be called when nothing is under way. */
  close(): void {
    const client = this.opened;
    if (!client) return;
    if (this.pipelined !== undefined) client.pipeline = this.pipelined;
    client.removeListener('error', this.onError);
    client.release(this.broken);
  }

  private open(client: Client): Client {
    client.on('error', this.onError);
    // only while it is ours: a cursor or a stream of the host, which pg refuses in that mode, gets an ordinary connection
    this.pipelined = client.pipeline;
    if (client.pipeline !== undefined) client.pipeline = true;
    this.opened = client;
    this.firstSince = performance.now();
    return client;
  }

  /** All that is sent in this turn of the event loop, by whatever it was woken for, leaves in one write. */
  private hold(client: Client): void {
    if (this.held) return;
    this.held = true;
    const send = holdWrites(client);
    setImmediate(() => {
      this.held = false;
      send();
    });
  }

  private async ask(client: Client, statement: SqlStatement): Promise<QueryResult> {
    try {
      // pg only reads the array of values; its types want a mutable one
      return await client.query(statement as QueryConfig);
    } catch (error) {
      // The server says FATAL before it ends a connection; without any severity, the connection itself failed.
      this.broken ||= (error as { severity?: string }).severity !== 'ERROR';
      throw error;
    } finally {
      this.load--;
      this.firstSince = performance.now();
    }
  }
}

/** The results, when all are there; the first error in the order of sending, not of what it led to. */
async function allOf(asked: readonly Promise<QueryResult>[]): Promise<readonly QueryResult[]> {
  const answers = await Promise.allSettled(asked);
  const failed = answers.find((answer) => answer.status === 'rejected');
  if (failed) throw failed.reason;
  return answers.map((answer) => (answer as PromiseFulfilledResult<QueryResult>).value);
}
