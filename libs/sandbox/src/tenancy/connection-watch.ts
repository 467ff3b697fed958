import pg, { type Pool, type PoolConfig } from 'pg';

/** Milliseconds between two looks at the connections in use. */
const LOOK_EVERY_MS = 5_000;
/** Milliseconds without an answer after which the server is asked, over another connection, what has become of a statement. */
const ASK_AFTER_MS = 10_000;
/** Milliseconds that the server has to answer that. */
const ANSWER_WITHIN_MS = 2_000;
/** Milliseconds without an answer that are too many for ours where the server does not know the connection: a pooler is in between. */
const UNKNOWN_AFTER_MS = 30_000;
/** Milliseconds after which a statement is cancelled: the longest that a run may take, by default. */
const CANCEL_AFTER_MS = 300_000;

/** A connection that somebody uses. */
export interface WatchedConnection {
  /** Whether its statements are the library's: then none may take longer than five minutes. */
  readonly ours: boolean;
  /** Of the server's process; `undefined` while it is being made. */
  readonly pid: number | undefined;
  /** Milliseconds that its first statement has been without an answer; 0 where there is none. */
  unansweredMs(now: number): number;
  /** Closes it: what is under way on it is rejected. */
  destroy(): void;
}

const ASK = `select state = 'active' as active, $2 and state = 'active' and pg_cancel_backend(pid) as cancelled
from pg_stat_activity where pid = $1`;

/**
 * Finds connections whose other end is gone without a word: a firewall that forgot them, a host that lost its power, a
 * link that swallows what it is given. TCP notices that after minutes or never, and until then whoever waits for an
 * answer waits. A statement that is really at work is left alone; one of ours for five minutes.
 */
export class ConnectionWatch {
  private timer: NodeJS.Timeout | undefined;
  private readonly asked = new WeakSet<WatchedConnection>();

  constructor(
    private readonly pool: Pool,
    private readonly connections: ReadonlySet<WatchedConnection>,
  ) {}

  /** To be called when a connection comes into use. The watch ends by itself when none is. */
  start(): void {
    this.timer ??= setInterval(() => this.look(), LOOK_EVERY_MS).unref();
  }

  private look(now = performance.now()): void {
    if (this.connections.size === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
    for (const connection of this.connections) {
      if (connection.unansweredMs(now) < ASK_AFTER_MS || this.asked.has(connection)) continue;
      this.asked.add(connection);
      void this.judge(connection).finally(() => this.asked.delete(connection));
    }
  }

  private async judge(connection: WatchedConnection): Promise<void> {
    const { pid, ours } = connection;
    // the pool gives up a connection that cannot be made
    if (pid === undefined) return;
    const cancel = ours && connection.unansweredMs(performance.now()) > CANCEL_AFTER_MS;
    const active = await this.ask(pid, cancel).catch(() => false);
    const patienceMs = active === false ? ASK_AFTER_MS : ours ? UNKNOWN_AFTER_MS : Number.POSITIVE_INFINITY;
    if (active || connection.unansweredMs(performance.now()) < patienceMs) return;
    connection.destroy();
    this.forgetIdle();
  }

  /** Whether the server is at work on it; `undefined` where it does not know it. Rejects where it does not answer. */
  private async ask(pid: number, cancel: boolean): Promise<boolean | undefined> {
    const limits = { connectionTimeoutMillis: ANSWER_WITHIN_MS, query_timeout: ANSWER_WITHIN_MS };
    const options = this.pool.options as PoolConfig;
    // which pg-pool hides from those who copy or print its options
    const { password } = options;
    const client = new pg.Client({ ...options, ...(password === undefined ? {} : { password }), ...limits });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ active: boolean }>(ASK, [pid, cancel]);
      return rows[0]?.active;
    } finally {
      // a link that swallows answers swallows the goodbye as well
      void client.end().catch(() => undefined);
    }
  }

  /** Connections that lay idle meanwhile went the same way, likely; found out one by one, each would take as long. */
  private forgetIdle(): void {
    for (let idle = this.pool.idleCount; idle > 0; idle--) {
      this.pool.connect().then(
        (client) => client.release(true),
        () => undefined,
      );
    }
  }
}
