// A tenant's actions take effect in the order in which they were committed, whatever the queue loses.
import { randomBytes, randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { Customer } from 'shop';
import type { SandboxModuleOptions } from 'nestjs-sandbox';
import { SandboxEvents } from '../../libs/sandbox/src/events/sandbox-events.js';
import { QUEUE_BACKEND, type QueueBackend } from '../../libs/sandbox/src/queue/queue-backend.js';
import { until } from '../support/processes.mjs';
import { type Processors, startProcessors } from './processors.js';

const server = process.env['TEST_DATABASE_URL'] as string;
const schema = `order_${randomBytes(4).toString('hex')}`;
const QUEUES: Record<string, Partial<SandboxModuleOptions>> = {
  Redis: {},
  PostgreSQL: { queue: { backend: 'postgres', connection: server, prefix: schema } },
};

describe.each(Object.keys(QUEUES))('commit order, with the queues on %s,', (name) => {
  let two: Processors;
  let waits = 0;
  beforeAll(async () => {
    // no relay: what is lost comes back because somebody misses it
    two = await startProcessors({ ...QUEUES[name], relay: { intervalMs: 3_600_000 } });
    for (const app of two.apps) app.get(SandboxEvents, { strict: false }).on('action.waits', () => void (waits += 1));
    const source = `if (context.record.name !== 'x') context.probe.at({ group: 'all', label: context.record.name, ms: 1 })`;
    await two.deploy({ name: 'all', source, entity: 'customer', on: ['create'] });
  }, 60_000);
  afterAll(async () => {
    await two?.close();
    const client = new Client({ connectionString: server });
    await client.connect();
    await client.query(`drop schema if exists "${schema}" cascade`);
    await client.end();
  });
  beforeEach(async () => {
    await two.sql('delete from sandbox_action');
    waits = 0;
  });

  const queue = () => two.apps[0]!.get<QueueBackend>(QUEUE_BACKEND, { strict: false });
  const save = (count: number) =>
    two.tenants.run(two.tenantId, {}, (source) =>
      source
        .getRepository(Customer)
        .save(Array.from({ length: count }, () => ({ name: 'n', email: `${randomUUID()}@example.test` }) as Customer)),
    );
  const pause = () => queue().queue(two.tenantId).pause();
  const resume = async () => {
    await queue().queue(two.tenantId).resume();
    await queue().ring.signal([two.tenantId]);
  };
  const queued = async (count: number) => {
    const jobs = () =>
      queue()
        .queue(two.tenantId)
        .getJobCounts('wait', 'paused' as 'wait');
    await until(async () => Object.values(await jobs()).reduce((sum, n) => sum + n, 0) === count, { what: 'the jobs' });
  };
  const ids = async () =>
    (await two.sql<{ id: string }>('select id from sandbox_action order by seq')).map(({ id }) => id);
  /** The places of the actions, in the order in which they ended. */
  const ended = async () =>
    (
      await two.sql<{ place: number }>(`select place::int - 1 as place from (
      select finished_at, row_number() over (order by seq) as place from sandbox_action where status = 'done') a
      order by finished_at, place`)
    ).map(({ place }) => place);
  const inOrder = (count: number) => Array.from({ length: count }, (_, n) => n);

  it('holds where everything is lost and newer ones come', async () => {
    await pause();
    await save(700);
    await queued(700);
    await queue().remove(two.tenantId, await ids());
    for (let n = 0; n < 20; n += 1) await save(1);
    await queued(20);
    await resume();
    await two.settled();
    expect(await ended()).toEqual(inOrder(720));
    // a miss or two for each five hundred that are put in order at once, and one for each newer one at most
    expect(waits).toBeLessThan(30);
  }, 60_000);

  it('holds where some are lost in the middle, and where jobs come in any order', async () => {
    await pause();
    for (let n = 0; n < 40; n += 1) await save(1);
    await queued(40);
    const all = await ids();
    const last = (await queue().queue(two.tenantId).getJob(all[39]!))!;
    await queue().remove(two.tenantId, [...all.filter((_, n) => n % 3 === 1), all[39]!]);
    await queue().add(two.tenantId, [{ job: last.data, front: true }]);
    await resume();
    await two.settled();
    expect(await ended()).toEqual(inOrder(40));
  }, 60_000);

  it('costs nothing where nothing is lost', async () => {
    for (let n = 0; n < 20; n += 1) await save(n % 2 ? 1 : 5);
    await two.settled();
    expect(await ended()).toEqual(inOrder(60));
    expect(waits).toBe(0);
  }, 60_000);
});
