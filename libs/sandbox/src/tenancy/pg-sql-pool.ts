import type { Pool, PoolClient, QueryConfig } from 'pg';
import { holdWrites } from './pg-wire.js';
import { guardPool } from './guard-pool.js';
import type { SqlConnection, SqlPool, SqlResult, SqlStatement } from './tenancy.js';

/** The library's way to a database over the `pg` pool that a TypeORM DataSource owns. */
export class PgSqlPool implements SqlPool {
  constructor(private readonly pool: Pool) {
    guardPool(pool);
  }

  async query<Row = Record<string, unknown>>(statement: SqlStatement): Promise<SqlResult<Row>> {
    return resultOf<Row>(await this.pool.query(configOf(statement)));
  }

  async connect(): Promise<SqlConnection> {
    return new PgSqlConnection(await this.pool.connect());
  }

  async transaction(
    statements: readonly SqlStatement[],
    check: (results: readonly SqlResult[]) => boolean = () => true,
  ): Promise<readonly SqlResult[] | undefined> {
    const client = await this.pool.connect();
    const connection = new PgSqlConnection(client);
    let committed = false;
    try {
      const results = await sendTogether(client, statements);
      if (!check(results)) return undefined;
      await client.query('COMMIT');
      committed = true;
      return results;
    } finally {
      if (committed) connection.release();
      else await rollBack(client, connection);
    }
  }
}

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

/**
 * BEGIN and the statements, sent without waiting for answers. pg 8.23 writes them to the wire at once while `pipeline`
 * is set; an older pg queues them and saves no round trip. Only the time in here is pipelined: a cursor or a stream of
 * the host, which pg refuses in that mode, gets an ordinary connection.
 */
async function sendTogether(client: PoolClient, statements: readonly SqlStatement[]): Promise<SqlResult[]> {
  const pipelined = client as PoolClient & { pipeline?: boolean };
  const before = pipelined.pipeline;
  if (before !== undefined) pipelined.pipeline = true;
  try {
    const send = holdWrites(client);
    const sent = [client.query('BEGIN'), ...statements.map((statement) => client.query(configOf(statement)))];
    send();
    const answers = await Promise.allSettled(sent);
    const failed = answers.find((answer) => answer.status === 'rejected');
    if (failed) throw failed.reason;
    return answers.slice(1).map((answer) => resultOf((answer as PromiseFulfilledResult<PgResult>).value));
  } finally {
    if (before !== undefined) pipelined.pipeline = before;
  }
}

async function rollBack(client: PoolClient, connection: PgSqlConnection): Promise<void> {
  try {
    await client.query('ROLLBACK');
    connection.release();
  } catch {
    connection.release(true);
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
