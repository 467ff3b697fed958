// Links whose other end vanishes without a word: nobody waits for ever, and what comes next goes over a new connection.
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { createPostgresQueueBackend } from '../../libs/sandbox/src/queue/postgres/postgres-queue-backend.js';
import type { QueueBackend } from '../../libs/sandbox/src/queue/queue-backend.js';
import { createRedisQueueBackend } from '../../libs/sandbox/src/queue/redis/redis-queue-backend.js';
import { RunTransaction } from '../../libs/sandbox/src/processor/effects/run-transaction.js';
import { guardDataSource } from '../../libs/sandbox/src/tenancy/guard-pool.js';
import { PgSqlPool } from '../../libs/sandbox/src/tenancy/pg-sql-pool.js';
import { DEFAULT_LIMITS } from '../../libs/sandbox/src/protocol/limits.js';
import { startProxy } from '../chaos/proxy.mjs';
import { until } from '../support/processes.mjs';

const databaseUrl = process.env['TEST_DATABASE_URL'] as string;
const redisUrl = process.env['TEST_REDIS_URL'] as string;

type Proxy = Awaited<ReturnType<typeof startProxy>>;

describe('where the other end vanishes', () => {
  let proxy: Proxy;
  const through = async (url: string): Promise<string> => {
    proxy = await startProxy(Number(new URL(url).port));
    const changed = new URL(url);
    changed.port = String(proxy.port);
    return changed.href;
  };
  const vanishForAMoment = (): void => {
    proxy.vanish();
    proxy.appear();
  };
  afterEach(() => proxy.stop());

  it("a tenant's statements fail within half a minute, and those that are at work go on", async () => {
    const pool = new pg.Pool({ connectionString: await through(databaseUrl), max: 4 });
    pool.on('error', () => undefined);
    const direct = new pg.Pool({ connectionString: databaseUrl, max: 4 });
    const [sql, healthy] = [new PgSqlPool(pool), new PgSqlPool(direct)];
    await Promise.all(Array.from({ length: 4 }, () => sql.query({ text: 'select pg_sleep(0.02)' })));
    const slow = healthy.query({ text: 'select pg_sleep(14)' });
    vanishForAMoment();
    const begun = performance.now();
    await expect(sql.transaction([{ text: 'select 1' }])).rejects.toThrow(/terminated/);
    const again = sql.query({ text: 'select 2 as two' });
    await expect(again).resolves.toMatchObject({ rows: [{ two: 2 }] });
    expect(performance.now() - begun).toBeLessThan(30_000);
    await expect(slow).resolves.toMatchObject({ rowCount: 1 });
    await direct.end();
    void pool.end();
  }, 60_000);

  it('a transaction whose end was lost on its way lets go of its locks', async () => {
    const direct = new pg.Pool({ connectionString: databaseUrl, max: 2 });
    const client = await direct.connect();
    const sql = new PgSqlPool(direct);
    const settings = await sql.transaction([
      { text: `select current_setting('idle_in_transaction_session_timeout') as ms` },
    ]);
    expect(settings[0]?.rows).toEqual([{ ms: '5s' }]);
    expect((await client.query('show idle_in_transaction_session_timeout')).rows[0]).not.toEqual({
      idle_in_transaction_session_timeout: '5s',
    });
    client.release();
    await direct.end();
  });

  it('a run that needs a transaction of its own is given up as a fault of the database', async () => {
    const dataSource = new DataSource({ type: 'postgres', url: await through(databaseUrl), poolSize: 1 });
    guardDataSource(dataSource);
    await dataSource.initialize();
    vanishForAMoment();
    const limits = { ...DEFAULT_LIMITS, transactionMs: 1_000 };
    await expect(RunTransaction.begin(dataSource, limits)).rejects.toMatchObject({ code: 'SANDBOX_DATABASE_STALLED' });
    const next = await RunTransaction.begin(dataSource, limits);
    await next.rollback();
    await dataSource.destroy();
  });

  it("the host's own statements fail within half a minute, and those that are at work go on", async () => {
    const options = { type: 'postgres', poolSize: 3 } as const;
    const dataSource = new DataSource({ ...options, url: await through(databaseUrl) });
    const healthy = new DataSource({ ...options, url: databaseUrl });
    for (const each of [dataSource, healthy]) {
      guardDataSource(each);
      await each.initialize();
    }
    await Promise.all(Array.from({ length: 3 }, () => dataSource.query('select pg_sleep(0.02)')));
    const slow = healthy.query('select pg_sleep(14)');
    vanishForAMoment();
    const begun = performance.now();
    await expect(dataSource.transaction((manager) => manager.query('select 1'))).rejects.toThrow(/terminated/);
    await expect(dataSource.query('select 2 as two')).resolves.toEqual([{ two: 2 }]);
    expect(performance.now() - begun).toBeLessThan(30_000);
    await expect(slow).resolves.toHaveLength(1);
    await Promise.all([dataSource.destroy(), healthy.destroy()]);
  }, 60_000);

  it.each(['Redis', 'PostgreSQL'])(
    'the queue on %s is spoken to over a new connection',
    async (name) => {
      const prefix = `gone_${randomUUID().slice(0, 8)}`;
      const queue: QueueBackend =
        name === 'Redis'
          ? createRedisQueueBackend({ connection: await through(redisUrl), prefix })
          : createPostgresQueueBackend({ connection: await through(databaseUrl), prefix });
      await queue.start();
      const job = { actionId: randomUUID(), scriptId: 's', scriptVersion: 1, userId: null, depth: 0, createdAt: 0 };
      await queue.add('acme', [{ job }]);
      vanishForAMoment();
      const begun = performance.now();
      const counts = () => queue.forTenant('acme').getCounts(['wait']);
      await counts().catch(() => undefined);
      await until(async () => (await counts().catch(() => []))[0] === 1, { timeoutMs: 40_000, what: 'an answer' });
      expect(performance.now() - begun).toBeLessThan(45_000);
      await queue.remove('acme', [job.actionId]);
      await queue.close();
      const client = new pg.Client({ connectionString: databaseUrl });
      await client.connect();
      await client.query(`drop schema if exists "${prefix}" cascade`);
      await client.end();
    },
    90_000,
  );
});
