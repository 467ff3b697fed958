// First in line: an action may end only when none that was committed before it was written is unfinished.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { retryAction } from '../../libs/sandbox/src/records/action.queries.js';
import { lineUpTo } from '../../libs/sandbox/src/records/action.statements.js';
import {
  claimStatement,
  finishStatement,
  isSuperseded,
  type NewExecution,
} from '../../libs/sandbox/src/records/execution.statements.js';
import { migrate } from '../../libs/sandbox/src/records/migrator.js';
import { PgSqlPool } from '../../libs/sandbox/src/tenancy/pg-sql-pool.js';
import { createDatabase } from '../support/postgres.mjs';

const INSERT = `insert into sandbox_action (id, script_id, script_name, script_version, entity, operation, record_id, change)
select id::uuid, '${uuidv7()}', 's', 1, 'order', 'update', '1', '{"record":{},"prevRecord":{},"changed":[]}'
from unnest($1::text[]) with ordinality as given (id, place) order by place`;

describe('the line of a tenant', () => {
  let pool: pg.Pool;
  let sql: PgSqlPool;

  beforeAll(async () => {
    const name = `line_${randomBytes(6).toString('hex')}`;
    pool = new pg.Pool({ connectionString: await createDatabase(process.env['TEST_DATABASE_URL'] as string, name) });
    sql = new PgSqlPool(pool);
    await migrate({ query: (statement) => sql.query(statement), connect: () => sql.connect() });
  });
  afterAll(() => pool.end());
  beforeEach(() => pool.query('delete from sandbox_action'));

  async function add(client: pg.Pool | pg.PoolClient = pool, count = 1): Promise<string[]> {
    const ids = Array.from({ length: count }, () => uuidv7());
    await client.query(INSERT, [ids]);
    return ids;
  }
  const one = async (client?: pg.PoolClient): Promise<string> => (await add(client))[0] as string;

  /** Whether the finish was kept. */
  async function finish(
    actionId: string,
    more: Partial<NewExecution> = {},
    ranMs: number | null = 0,
  ): Promise<boolean> {
    const usage = { cpuMs: 0, wallMs: 0, waitMs: 0, calls: 0 };
    const about = { id: uuidv7(), actionId, scriptId: uuidv7(), scriptVersion: 1, startedAt: new Date() };
    const inLine = ranMs === null ? {} : { inLineMs: ranMs };
    const statement = { ...about, outcome: 'ok', logs: [], usage, status: 'done', ...inLine, ...more } as const;
    try {
      await sql.query(finishStatement(statement));
      return true;
    } catch (error) {
      if (isSuperseded(error)) return false;
      throw error;
    }
  }
  const claims = async (id: string) => (await sql.query(claimStatement(id, 1_000, true))).rowCount === 1;
  const change = (set: string, id: string) => pool.query(`update sandbox_action set ${set} where id = $1`, [id]);

  it('keeps nothing of a run that began before the one in front of it was finished', async () => {
    const [first, second] = [await one(), await one()];
    expect(await finish(first)).toBe(true);
    expect(await finish(second, {}, 60_000)).toBe(false);
    expect(await finish(second)).toBe(true);
  });

  it('takes a finish in a time to come for one before the clock was set back', async () => {
    const [first, second] = [await one(), await one()];
    await finish(first);
    await change("finished_at = now() + interval '1 hour'", first);
    expect(await finish(second, {}, 60_000)).toBe(true);
  });

  it('lets the first one end or be claimed, and none behind it', async () => {
    const [first, second] = [await one(), await one()];
    expect([await finish(second), await claims(second)]).toEqual([false, false]);
    expect(await finish(second, { status: 'failed', outcome: 'exception' })).toBe(false);
    expect(await claims(first)).toBe(true);
    expect(await finish(first, { claimedAttempt: 1 })).toBe(true);
    expect(await finish(second)).toBe(true);
  });

  it('does not concern who did not ask', async () => {
    const [first, second] = [await one(), await one()];
    expect([await finish(second, {}, null), await finish(first)]).toEqual([true, true]);
  });

  it('keeps those of one transaction as they were written', async () => {
    const [first, second, third] = (await add(pool, 3)) as [string, string, string];
    expect([await finish(third), await finish(second), await finish(first)]).toEqual([false, false, true]);
    expect([await finish(third), await finish(second), await finish(third)]).toEqual([false, true, true]);
  });

  it('waits for no transaction that is not committed, nor for one that was not when the action was written', async () => {
    const client = await pool.connect();
    await client.query('begin');
    const open = await one(client);
    const overlapping = [await one(), await one()] as const;
    expect(await finish(overlapping[0])).toBe(true);
    await client.query('commit');
    client.release();
    const behind = await one();
    // the other way round it is first come, first served, as well: the two overlapped
    expect([await finish(behind), await finish(overlapping[1]), await finish(behind)]).toEqual([false, true, false]);
    expect([await finish(open), await finish(behind)]).toEqual([true, true]);
  });

  it.each([
    ['one that a gate has wait', `due_at = now() - interval '1 second'`],
    ['one that was cancelled', `status = 'cancelled', finished_at = now()`],
    ['one that is dead', `status = 'dead', finished_at = now()`],
    ['one of an older version of the library', `written_by = null, written_seeing = null`],
  ])('does not wait for %s', async (_, set) => {
    const [first, second] = [await one(), await one()];
    await change(set, first);
    expect(await finish(second)).toBe(true);
  });

  it.each([
    ['one that is parked', `parked = true`],
    ['one at work', `status = 'running', lease_until = now() + interval '1 minute'`],
    ['one whose processor crashed', `status = 'running', lease_until = now() - interval '1 minute'`],
    ['one that is tried again', `status = 'pending', attempt = 3`],
  ])('waits for %s', async (_, set) => {
    const [first, second] = [await one(), await one()];
    await change(set, first);
    expect(await finish(second)).toBe(false);
  });

  it('has one that is retried by hand behind what was written meanwhile, and before what comes then', async () => {
    const [retried, meanwhile] = [await one(), await one()];
    await finish(retried, { status: 'failed' });
    await sql.query(retryAction(retried));
    const later = await one();
    expect([await finish(later), await finish(meanwhile), await finish(later)]).toEqual([false, true, false]);
    expect([await finish(retried), await finish(later)]).toEqual([true, true]);
  });

  it('is read in order, up to an action, without those that wait for their time', async () => {
    const ids = (await add(pool, 6)) as [string, string, string, string, string, string];
    await change('parked = true', ids[1]);
    await change('due_at = now()', ids[2]);
    await finish(ids[0]);
    const line = async (limit: number) =>
      (await sql.query<{ id: string }>(lineUpTo(ids[4], limit))).rows.map(({ id }) => ids.indexOf(id));
    expect(await line(10)).toEqual([1, 3, 4]);
    expect(await line(2)).toEqual([1, 3]);
  });
});
