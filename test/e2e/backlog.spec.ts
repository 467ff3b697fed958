// A tenant's queue holds so many actions; what comes on top waits in its rows, in order, and none is lost.
import { randomUUID } from 'node:crypto';
import { Customer } from 'shop';
import { TenantDataSources } from 'nestjs-sandbox';
import { SandboxEvents } from '../../libs/sandbox/src/events/sandbox-events.js';
import { TURNS, type Turns } from '../../libs/sandbox/src/processor/turns/turns.js';
import { QUEUE_BACKEND, type QueueBackend } from '../../libs/sandbox/src/queue/queue-backend.js';
import { until } from '../support/processes.mjs';
import { type Processors, startProcessors } from './processors.js';

const BACKLOG = 40;

describe('a full backlog', () => {
  let two: Processors;
  const parked: string[] = [];
  beforeAll(async () => {
    two = await startProcessors({ relay: { backlog: BACKLOG, intervalMs: 50 } });
    for (const app of two.apps)
      app.get(SandboxEvents, { strict: false }).on('actions.parked', ({ actionIds }) => void parked.push(...actionIds));
  }, 60_000);
  afterAll(() => two?.close());

  const turns = () => two.apps[0]!.get<Turns>(TURNS, { strict: false });
  const queued = async () => {
    const backend = two.apps[0]!.get<QueueBackend>(QUEUE_BACKEND, { strict: false }).forTenant(two.tenantId);
    return (await backend.getCounts(['wait', 'delayed', 'active'])).reduce((sum, count) => sum + count, 0);
  };
  let next = 0;
  const customer = () => ({ name: String(next++), email: `${randomUUID()}@example.test` }) as Customer;
  const save = (app: number, count: number) =>
    two.apps[app]!.get(TenantDataSources).run(two.tenantId, {}, async (source) => {
      const repository = source.getRepository(Customer);
      if (count === 1) await repository.save(customer());
      else await repository.save(Array.from({ length: count }, customer));
    });
  const states = () =>
    two.sql<{ queued: number; parked: number }>(`select count(*) filter (where not parked)::int as queued,
      count(*) filter (where parked)::int as parked from sandbox_action where finished_at is null`);

  it('parks what comes on top, behind what is parked already, and hands it over in order', async () => {
    const source = `context.probe.at({ group: 'all', label: context.record.name, ms: 1 })`;
    await two.deploy({ name: 'all', source, entity: 'customer', on: ['create'] });
    await turns().pause(two.tenantId);
    await save(0, 30);
    for (let n = 0; n < 30; n += 1) await save(0, 1);
    await until(async () => (await states())[0]?.parked === 20, { what: '20 parked actions' });
    expect(await queued()).toBe(BACKLOG);
    // another process learns of it with its first write, and a bulk write is parked whole
    await save(1, 1);
    await save(1, 40);
    await save(0, 1);
    expect(await states()).toEqual([{ queued: BACKLOG, parked: 62 }]);
    expect(await queued()).toBe(BACKLOG);
    expect(new Set(parked).size).toBe(62);
    await turns().resume(two.tenantId);
    // room appears while others are still parked
    await until(() => two.log.runs.length > 10, { what: 'some runs' });
    for (let n = 0; n < 20; n += 1) await save(n % 2, 1);
    await two.settled();
    expect(two.log.labels('all')).toEqual(Array.from({ length: next }, (_, n) => String(n)));
    expect(await states()).toEqual([{ queued: 0, parked: 0 }]);
  }, 60_000);

  it('is not passed by what the relay finds, either', async () => {
    await turns().pause(two.tenantId);
    await save(0, 1);
    // forty and more that never reached the queue
    await two.sql(`insert into sandbox_action (id, script_id, script_name, script_version, entity, operation, record_id, change, created_at)
      select gen_random_uuid(), a.script_id, a.script_name, 1, a.entity, a.operation, a.record_id,
        jsonb_set(a.change, '{record,name}', to_jsonb('lost-' || n)), now() - interval '1 minute'
      from generate_series(1, 60) n, (select * from sandbox_action order by seq desc limit 1) a order by n`);
    await until(async () => (await states())[0]!.parked > 0, { what: 'the relay', timeoutMs: 20_000 });
    expect(await queued()).toBeLessThanOrEqual(BACKLOG);
    await turns().resume(two.tenantId);
    await two.settled();
    const lost = two.log.labels('all').filter((label) => label.startsWith('lost-'));
    expect(lost).toEqual(Array.from({ length: 60 }, (_, n) => `lost-${n + 1}`));
  }, 60_000);
});
