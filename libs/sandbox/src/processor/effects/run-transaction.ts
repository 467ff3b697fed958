import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { DatabaseStalledError, TransactionTimeoutError } from '../../errors/effects.errors.js';
import type { Limits } from '../../protocol/limits.js';
import { within } from '../../queue/within.js';
import type { SqlResult, SqlStatement } from '../../tenancy/tenancy.js';
import { markTransaction } from '../../tenancy/transaction-marks.js';

/** The part of a `pg` client that statements are sent with. */
interface StatementClient {
  query(statement: SqlStatement): Promise<{ rows: Record<string, unknown>[]; rowCount: number | null }>;
}

/**
 * The one transaction of an interactive run: a TypeORM QueryRunner, so that host services write in it through their
 * EntityManager, whose connection also takes our own named statements.
 *
 *   open ──commit/rollback──► ended
 *     ├──transactionMs over──► expired      rolled back at once; every later use throws TransactionTimeoutError
 *     └──the same, and the database took most of the time──► stalled      closed; DatabaseStalledError
 */
export class RunTransaction {
  private state: 'open' | 'expired' | 'stalled' | 'ended' = 'open';
  private hasSavepoint = false;
  /** Milliseconds that answered statements took, and since when one is not answered. */
  private waitedMs = 0;
  private waitingSince: number | undefined;
  private readonly timer: NodeJS.Timeout;

  private constructor(
    private readonly runner: QueryRunner,
    private readonly client: StatementClient,
    private readonly transactionMs: number,
  ) {
    this.timer = setTimeout(() => this.expire(), transactionMs);
    this.timer.unref();
  }

  /** Begins a transaction on a connection of the tenant's pool. Rejects with `DatabaseStalledError` where that takes too long. */
  static async begin(dataSource: DataSource, limits: Readonly<Limits>): Promise<RunTransaction> {
    const { transactionMs } = limits;
    const runner = dataSource.createQueryRunner();
    const connecting = runner.connect() as Promise<StatementClient>;
    try {
      const client = await within(
        begun(runner, connecting, limits),
        transactionMs,
        () => new DatabaseStalledError(transactionMs),
      );
      return new RunTransaction(runner, client, transactionMs);
    } catch (error) {
      // only a connection that is there can be closed
      const closing = connecting.then(() =>
        error instanceof DatabaseStalledError ? close(runner, error) : abandon(runner),
      );
      closing.catch(() => undefined);
      throw error;
    }
  }

  /** TypeORM's way into the transaction, for the host's services. */
  get manager(): EntityManager {
    return this.runner.manager;
  }

  get expired(): boolean {
    return this.state === 'expired';
  }

  /** Sends one statement. */
  async query(statement: SqlStatement): Promise<SqlResult> {
    this.assertOpen();
    const { rows, rowCount } = await this.timed(() => this.client.query(statement));
    return { rows, rowCount: rowCount ?? 0 };
  }

  /**
   * Runs `work` in a savepoint: what it wrote is undone when it rejects, and the transaction can go on.
   * One savepoint name, moved forward in one round trip: 150 calls must not leave 150 subtransactions behind.
   */
  async savepoint<T>(work: () => Promise<T>): Promise<T> {
    const move = this.hasSavepoint
      ? 'release savepoint sandbox_call; savepoint sandbox_call'
      : 'savepoint sandbox_call';
    await this.query({ text: move });
    this.hasSavepoint = true;
    // What a host service wrote through TypeORM was captured: undone with the savepoint, it must fire nothing.
    const forget = markTransaction(this.runner);
    try {
      return await work();
    } catch (error) {
      if (this.state === 'open') await this.query({ text: 'rollback to savepoint sandbox_call' });
      forget();
      this.assertInTime();
      throw error;
    }
  }

  /** Commits, through TypeORM: what host services wrote is captured now. */
  async commit(): Promise<void> {
    this.assertOpen();
    try {
      await this.timed(() => this.runner.commitTransaction());
      this.end();
      await this.runner.release();
    } catch (error) {
      await this.rollback();
      throw error;
    }
  }

  /** Undoes everything. Never rejects: a connection that cannot even roll back is closed, which does the same. */
  async rollback(): Promise<void> {
    if (this.state !== 'open') return;
    this.end();
    await abandon(this.runner);
  }

  /** What the database did not answer in time is no fault of the script's; a rollback would not be answered either. */
  private expire(): void {
    if (this.state !== 'open') return;
    const waiting = this.waitingSince === undefined ? 0 : performance.now() - this.waitingSince;
    const stalled = this.waitedMs + waiting > this.transactionMs / 2;
    this.state = stalled ? 'stalled' : 'expired';
    void (stalled ? close(this.runner, new DatabaseStalledError(this.transactionMs)) : abandon(this.runner));
  }

  private async timed<T>(statement: () => Promise<T>): Promise<T> {
    const since = performance.now();
    this.waitingSince = since;
    try {
      return await statement();
    } finally {
      this.waitedMs += performance.now() - since;
      this.waitingSince = undefined;
    }
  }

  private end(): void {
    clearTimeout(this.timer);
    if (this.state === 'open') this.state = 'ended';
  }

  private assertOpen(): void {
    this.assertInTime();
    if (this.state !== 'open') throw new TransactionTimeoutError(this.transactionMs);
  }

  private assertInTime(): void {
    if (this.state === 'stalled') throw new DatabaseStalledError(this.transactionMs);
    if (this.state === 'expired') throw new TransactionTimeoutError(this.transactionMs);
  }
}

async function begun(
  runner: QueryRunner,
  connecting: Promise<StatementClient>,
  limits: Readonly<Limits>,
): Promise<StatementClient> {
  const client = await connecting;
  await runner.startTransaction();
  await client.query(timeouts(limits));
  return client;
}

/** Rolls back and gives the connection back; closes it where that fails. */
async function abandon(runner: QueryRunner): Promise<void> {
  if (runner.isReleased) return;
  try {
    if (runner.isTransactionActive) await runner.rollbackTransaction();
    await runner.release();
  } catch (error) {
    await close(runner, error);
  }
}

/** Closes the connection: the server rolls back, and what still waits for an answer is rejected. */
async function close(runner: QueryRunner, error: unknown): Promise<void> {
  const closable = runner as QueryRunner & { releasePostgresConnection?(error: unknown): Promise<void> };
  await closable.releasePostgresConnection?.(error).catch(() => undefined);
}

/** Milliseconds that a statement waits for a lock: half of what it may take. */
export function lockTimeout({ transactionMs, bridgeCallMs }: Readonly<Limits>): number {
  return Math.ceil(Math.min(transactionMs, bridgeCallMs) / 2);
}

/** The server's own limits for this transaction; the last one is there for the case that this process hangs. */
function timeouts(limits: Readonly<Limits>): SqlStatement {
  const { transactionMs, bridgeCallMs } = limits;
  const statement = Math.min(transactionMs, bridgeCallMs);
  return {
    name: 'sandbox_timeouts',
    text: `select set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true),
  set_config('idle_in_transaction_session_timeout', $3, true)`,
    values: [String(statement), String(lockTimeout(limits)), String(transactionMs + 2_000)],
  };
}
