import type { Pool, PoolClient, QueryConfig } from 'pg';
import { guardPool } from './guard-pool.js';
import { PgLanes } from './pg-lanes.js';
import type { SqlConnection, SqlPool, SqlResult, SqlStatement } from './tenancy.js';

/** The library's way to a database over the `pg` pool that a TypeORM DataSource owns. */
export class PgSqlPool implements SqlPool {
  private readonly lanes: PgLanes;

  constructor(private readonly pool: Pool) {
    guardPool(pool);
    this.lanes = new PgLanes(pool);
  }

  async query<Row = Record<string, unknown>>(statement: SqlStatement): Promise<SqlResult<Row>> {
    const [result] = await this.lanes.send([statement]);
    return resultOf<Row>(result as PgResult);
  }

  async connect(): Promise<SqlConnection> {
    return new PgSqlConnection(await this.pool.connect());
  }

  /** A failed statement makes a rollback of the COMMIT, which is on its way by then. */
  async transaction(statements: readonly SqlStatement[]): Promise<readonly SqlResult[]> {
    const results = await this.lanes.send([BEGIN, ...statements, COMMIT]);
    return results.slice(1, -1).map((result) => resultOf(result));
  }
}

/**
 * All up to the COMMIT is sent at once, so a transaction waits for more only where the rest was lost on its way, and then
 * for good: its locks would hold up whoever repeats it.
 */
const BEGIN: SqlStatement = { text: 'BEGIN; SET LOCAL idle_in_transaction_session_timeout = 5000' };
const COMMIT: SqlStatement = { text: 'COMMIT' };

/** One checked-out connection. */
class PgSqlConnection implements SqlConnection {
  private broken = false;
  private released = false;
  // pg-pool takes its own error listener off a client that is in use; without one a lost connection ends the process.
  private readonly onError = (): void => void (this.broken = true);

  constructor(private readonly client: PoolClient) {
    client.on('error', this.onError);
  }

  async query<Row = Record<string, unknown>>(statement: SqlStatement): Promise<SqlResult<Row>> {
    try {
      return resultOf<Row>(await this.client.query(configOf(statement)));
    } catch (error) {
      // The server says FATAL before it ends a connection; without any severity, the connection itself failed.
      this.broken ||= (error as { severity?: string }).severity !== 'ERROR';
      throw error;
    }
  }

  release(broken = false): void {
    if (this.released) return;
    this.released = true;
    this.client.removeListener('error', this.onError);
    this.client.release(broken || this.broken);
  }
}

type PgResult = { rows: unknown[]; rowCount: number | null };

function resultOf<Row>(result: PgResult): SqlResult<Row> {
  return { rows: result.rows as Row[], rowCount: result.rowCount ?? 0 };
}

function configOf(statement: SqlStatement): QueryConfig {
  // pg only reads the array; its types want a mutable one
  return statement as QueryConfig;
}
