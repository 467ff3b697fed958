// The queue on PostgreSQL is woken by NOTIFY: a listening connection that is lost costs a second, and is made anew.
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { createPostgresQueueBackend } from '../../libs/sandbox/src/queue/postgres/postgres-queue-backend.js';
import type { QueueBackend } from '../../libs/sandbox/src/queue/queue-backend.js';
import { until } from '../support/processes.mjs';

const databaseUrl = process.env['TEST_DATABASE_URL'] as string;

describe('a lost listening connection', () => {
  const schema = `listen_${randomUUID().slice(0, 8)}`;
  const client = new pg.Client({ connectionString: databaseUrl });
  let queue: QueueBackend;
  beforeAll(async () => {
    await client.connect();
    queue = createPostgresQueueBackend({ connection: databaseUrl, prefix: schema });
    await queue.start();
  });
  afterAll(async () => {
    await queue.close();
    await client.query(`drop schema "${schema}" cascade`);
    await client.end();
  });

  const listeners = async (): Promise<number[]> =>
    (
      await client.query<{ pid: number }>(
        `select pid from pg_stat_activity where query = 'listen "sandbox_ring_${schema}"'`,
      )
    ).rows.map(({ pid }) => pid);

  it('does not lose what is signalled meanwhile, and the next one wakes as before', async () => {
    const taken = queue.ring.take(1, 20_000);
    await until(async () => (await listeners()).length === 1, { what: 'the listener' });
    const [lost] = await listeners();
    await client.query('select pg_terminate_backend($1)', [lost]);
    await queue.ring.signal(['acme']);
    await expect(taken).resolves.toEqual(['acme']);

    const again = queue.ring.take(1, 20_000);
    await until(async () => (await listeners()).some((pid) => pid !== lost), { what: 'a new listener' });
    await queue.ring.signal(['globex']);
    await expect(again).resolves.toEqual(['globex']);
  }, 60_000);
});
