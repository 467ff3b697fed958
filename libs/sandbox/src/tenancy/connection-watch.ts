import pg, { type Pool, type PoolConfig } from 'pg';

/** Milliseconds between two looks at the connections in use. */
const LOOK_EVERY_MS = 5_000;
/** Milliseconds without an answer after which the server is asked, over another connection, what has become of a statement. */
const ASK_AFTER_MS = 10_000;
/** Milliseconds that the server has to answer that. */
const ANSWER_WITHIN_MS = 2_000;
/** Milliseconds without an answer that are too many for a statement of ours of which the server knows nothing. */
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

/** A process that waits for a statement, or is no more, has not got ours. Behind a pooler our numbers are not the server's. */
const ASK = `select case when a.state like 'idle%' or (a.pid is null and pg_backend_pid() = $3) then 'gone'
  when a.state = 'active' then 'at work' else 'unknown' end as verdict,
  $2 and a.state = 'active' and pg_cancel_backend(a.pid) as cancelled
from (select) as one left join pg_stat_activity a on a.pid = $1`;

/** What the server says of a statement without an answer; `silent`: it says nothing itself. */
type Verdict = 'at work' | 'gone' | 'unknown' | 'silent';

/** Milliseconds without an answer that are enough for each verdict. */
function patienceMs(verdict: Verdict, ours: boolean): number {
  if (verdict === 'gone' || (verdict === 'silent' && ours)) return ASK_AFTER_MS;
  return verdict === 'unknown' && ours ? UNKNOWN_AFTER_MS : Number.POSITIVE_INFINITY;
}

/**
 * Finds connections whose other end is gone without a word: a firewall that forgot them, a host that lost its power, a
 * link that swallows what it is given. TCP notices that after minutes or never, and until then whoever waits for an
 * answer waits. A statement that is at work is left alone, one of ours for five minutes. The host's are only ended where
 * the server says that it has none.
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
    const verdict = await this.ask(pid, cancel).catch((error: { severity?: string }) =>
      error.severity === undefined ? 'silent' : 'unknown',
    );
    if (connection.unansweredMs(performance.now()) < patienceMs(verdict, ours)) return;
    connection.destroy();
    this.forgetIdle();
  }

  private async ask(pid: number, cancel: boolean): Promise<Verdict> {
    const limits = { connectionTimeoutMillis: ANSWER_WITHIN_MS, query_timeout: ANSWER_WITHIN_MS };
    const options = this.pool.options as PoolConfig;
    // which pg-pool hides from those who copy or print its options
    const { password } = options;
    const client: pg.Client & { processID?: number } = new pg.Client({
      ...options,
      ...(password === undefined ? {} : { password }),
      ...limits,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ verdict: Verdict }>(ASK, [pid, cancel, client.processID]);
      return rows[0]?.verdict ?? 'unknown';
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
