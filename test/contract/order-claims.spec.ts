// Claims in order: of actions that keep apart, one holds the claim, the first one first, and nobody waits for ever.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { migrate } from '../../libs/sandbox/src/records/migrator.js';
import { claimInOrder, freedBy, lockOrder, type OrderKeys } from '../../libs/sandbox/src/records/order.statements.js';
import { PgSqlPool } from '../../libs/sandbox/src/tenancy/pg-sql-pool.js';
import { createDatabase } from '../support/postgres.mjs';

const [A, B] = [uuidv7(), uuidv7()];
/** Script A asks for the order of the tenant, B for that of the record. */
const KEYS: Record<string, OrderKeys> = {
  [A]: { apart: [A], sameRecord: [A, B] },
  [B]: { apart: [], sameRecord: [A, B] },
};

describe('claims in order', () => {
  let pool: pg.Pool;
  let sql: PgSqlPool;
  const scriptOf = new Map<string, string>();

  beforeAll(async () => {
    const name = `order_${randomBytes(6).toString('hex')}`;
    pool = new pg.Pool({ connectionString: await createDatabase(process.env['TEST_DATABASE_URL'] as string, name) });
    sql = new PgSqlPool(pool);
    await migrate({ query: (statement) => sql.query(statement), connect: () => sql.connect() });
  });
  afterAll(() => pool.end());
  beforeEach(() => pool.query('delete from sandbox_action'));

  async function add(scriptId: string, recordId: string, client: pg.Pool | pg.PoolClient = pool): Promise<string> {
    const id = uuidv7();
    scriptOf.set(id, scriptId);
    await client.query(
      `insert into sandbox_action (id, script_id, script_name, script_version, entity, operation, record_id, change)
values ($1, $2, 's', 1, 'order', 'update', $3, '{"record":{},"prevRecord":{},"changed":[]}')`,
      [id, scriptId, recordId],
    );
    return id;
  }
  /** What the action waits for; null where it got the claim; undefined where it is finished or leased. */
  async function claim(id: string): Promise<string | null | undefined> {
    const keys = KEYS[scriptOf.get(id) as string] as OrderKeys;
    const answers = await sql.transaction([lockOrder, claimInOrder(id, 10_000, keys)]);
    return (answers?.[1]?.rows[0] as { waits_for: string | null } | undefined)?.waits_for;
  }
  const end = (id: string) =>
    pool.query(`update sandbox_action set status = 'done', finished_at = now(), lease_until = null where id = $1`, [
      id,
    ]);
  async function freed(id: string): Promise<unknown[]> {
    return (await sql.query(freedBy(id))).rows.map((row) => row['id']);
  }

  it('each waits for the last one before it, and is freed by that one alone', async () => {
    const [one, two, three] = [await add(A, '1'), await add(A, '2'), await add(A, '3')];
    expect([await claim(one), await claim(three), await claim(two)]).toEqual([null, two, one]);
    expect(await claim(one)).toBeUndefined();
    expect(await freed(one)).toEqual([]);
    await end(one);
    expect(await freed(one)).toEqual([two]);
    expect(await claim(two)).toBeNull();
    await end(two);
    expect(await freed(two)).toEqual([three]);
    // whoever steps aside asks about itself, too
    expect(await freed(three)).toEqual([three]);
  });

  it('those of different records do not mind one another, unless both ask for the order of the tenant', async () => {
    const [tenant, other, same, tenantToo] = [
      await add(A, '1'),
      await add(B, '2'),
      await add(B, '1'),
      await add(A, '9'),
    ];
    expect([await claim(tenant), await claim(other), await claim(same), await claim(tenantToo)]).toEqual([
      null,
      null,
      tenant,
      tenant,
    ]);
  });

  it('one that comes to light late waits for the one at work behind it, which does not wait for it in turn', async () => {
    const client = await pool.connect();
    await client.query('begin');
    const early = await add(A, '1', client);
    const late = await add(A, '2');
    expect(await claim(late)).toBeNull();
    await client.query('commit');
    client.release();
    expect(await claim(early)).toBe(late);
    // its run came to nothing, and is to be repeated: now the early one comes first
    await pool.query(`update sandbox_action set lease_until = null, status = 'pending' where id = $1`, [late]);
    expect(await freed(late)).toEqual([early]);
    expect(await claim(late)).toBe(early);
    expect(await claim(early)).toBeNull();
  });

  it('of forty that claim at once, one a record gets it, and it is the first', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 40; n += 1) ids.push(await add(B, String(n % 4)));
    const left = new Set(ids);
    for (let round = 0; round < 10; round += 1) {
      const answers = await Promise.all([...left].reverse().map(async (id) => [id, await claim(id)] as const));
      const claimed = answers.filter(([, waits]) => waits === null).map(([id]) => id);
      expect(claimed.sort()).toEqual(ids.slice(round * 4, round * 4 + 4).sort());
      await Promise.all(claimed.map(end));
      const next = (await Promise.all(claimed.map(freed))).flat();
      expect(next.sort()).toEqual(ids.slice(round * 4 + 4, round * 4 + 8).sort());
      for (const id of claimed) left.delete(id);
    }
  });

  it('a finish and a claim at once lose nobody', async () => {
    for (let n = 0; n < 50; n += 1) {
      const [first, second] = [await add(B, `r${n}`), await add(B, `r${n}`)];
      expect(await claim(first)).toBeNull();
      const ending = end(first).then(() => freed(first));
      const claiming = claim(second).then(async (waits) => (waits === null ? ['claimed'] : await freed(second)));
      const seen = (await Promise.all([ending, claiming])).flat();
      expect(seen.length).toBeGreaterThan(0);
      await end(second);
    }
  });
});
