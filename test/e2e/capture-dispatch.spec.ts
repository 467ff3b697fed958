// From the commit to the queue: in order, in batches, and by the relay where the direct way failed.
import { Relay } from '../../libs/sandbox/src/producer/dispatch/relay.js';
import { QueuedMarks } from '../../libs/sandbox/src/producer/dispatch/queued-marks.js';
import type { QueueBackend } from '../../libs/sandbox/src/queue/queue-backend.js';
import { resolveOptions } from '../../libs/sandbox/src/sandbox.options.resolve.js';
import type { SqlClient, Tenancy } from '../../libs/sandbox/src/tenancy/tenancy.js';
import { openFixture, type Fixture } from '../support/capture-fixture.js';
import { until } from '../support/processes.mjs';
import { Item, Part } from './capture.entities.js';

describe('dispatch and relay', () => {
  let f: Fixture;
  let relay: Relay;

  beforeAll(async () => {
    f = await openFixture([Item, Part], ['item:create']);
    const options = resolveOptions({ tenancy: f.tenancy, relay: { afterMs: 200, intervalMs: 1_000 } });
    relay = new Relay(options, f.tenancy, f.queue as unknown as QueueBackend, f.dispatcher, f.events);
  });
  afterAll(() => f.close());
  beforeEach(() => f.reset());

  const save = (name: string, extra: object = {}) => f.dataSource.getRepository(Item).save({ name, ...extra });
  const age = (ms: number) =>
    f.lease.sql.query({
      text: `update sandbox_action set created_at = created_at - $1 * interval '1 ms', queued_at = queued_at - $1 * interval '1 ms'`,
      values: [ms],
    });
  const ids = async () => (await f.actions()).map(({ id }) => id);

  it('adds what is committed together in one call, in order, and notes it as queued', async () => {
    const before = f.queue.adds;
    await Promise.all(Array.from({ length: 30 }, (_, n) => save(`p${n}`)));
    await f.dispatcher.idle();
    expect(f.queue.adds - before).toBeLessThan(30);
    expect([...f.queue.ids()].sort()).toEqual([...(await ids())].sort());
    expect((await f.actions()).every((row) => row.queued_at !== null)).toBe(true);
  });

  it('adds the actions of writes that follow each other in the order of their commits', async () => {
    for (let n = 0; n < 20; n++) await save(`s${n}`);
    await f.dispatcher.idle();
    expect(f.queue.ids()).toEqual(await ids());
  });

  it('carries the change in the job, up to 32 KiB', async () => {
    await save('small');
    await save('large', { meta: 'x'.repeat(33 * 1024) });
    await f.dispatcher.idle();
    expect(f.queue.jobs.map(({ job }) => job.job.change?.record['name'])).toEqual(['small', undefined]);
    expect(f.queue.jobs[1]?.job.job).toMatchObject({ scriptVersion: 1, depth: 0, userId: null });
  });

  it('hands over, in order, what could not be added while the queue was down', async () => {
    f.queue.down = true;
    for (let n = 0; n < 5; n++) await save(`d${n}`);
    await f.dispatcher.idle();
    await age(10_000);
    expect(await relay.runOnce()).toBe(0);
    f.queue.down = false;
    expect(await relay.runOnce()).toBe(5);
    expect(f.queue.ids()).toEqual(await ids());
    expect(f.queue.jobs[0]?.job.job).toMatchObject({
      actionId: (await ids())[0],
      depth: 0,
      change: { entity: 'item', operation: 'create' },
    });
  });

  it('hands over what a writer committed and died before adding', async () => {
    const dispatch = jest.spyOn(f.dispatcher, 'dispatch').mockImplementation(() => undefined);
    await save('orphan');
    dispatch.mockRestore();
    expect(await relay.relayTenant('acme')).toBe(0);
    await until(async () => (await relay.relayTenant('acme')) === 1, { timeoutMs: 5_000 });
    expect(f.queue.ids()).toEqual(await ids());
  });

  it('finds such an action in a long line of others that wait rightly', async () => {
    for (let n = 0; n < 3; n++)
      await f.dataSource.getRepository(Item).save(Array.from({ length: 20 }, (_, k) => ({ name: `${n}.${k}` })));
    await f.dispatcher.idle();
    const lost = (await ids())[45] as string;
    f.queue.jobs.splice(f.queue.ids().indexOf(lost), 1);
    await f.lease.sql.query({ text: 'update sandbox_action set queued_at = null where id = $1', values: [lost] });
    await age(10_000);
    let found = 0;
    for (let n = 0; n < 20 && found === 0; n++) found = await relay.relayTenant('acme');
    expect([found, f.queue.ids().at(-1)]).toEqual([1, lost]);
  });

  it('hands everything over again after the queue was flushed', async () => {
    await f.dataSource.getRepository(Item).save(Array.from({ length: 700 }, (_, n) => ({ name: `f${n}` })));
    await f.dispatcher.idle();
    f.queue.jobs.length = 0;
    await age(120_000);
    expect(await relay.relayTenant('acme')).toBe(700);
    expect(f.queue.ids()).toEqual(await ids());
  });

  it('hands the whole line over at the first look that finds the first of it lost, however often that has happened', async () => {
    for (let n = 0; n < 3; n++) await save(`a${n}`);
    await f.dispatcher.idle();
    for (let times = 0; times < 3; times++) {
      // noted as queued a moment ago, after a long time: the next question of its own would come in a minute
      await f.lease.sql.query({
        text: `update sandbox_action set created_at = now() - interval '2 minutes', queued_at = now()`,
      });
      f.queue.jobs.length = 0;
      expect(await relay.relayTenant('acme')).toBe(3);
      expect(f.queue.ids()).toEqual(await ids());
    }
  });

  it('finds what a writer that died left with one of 60 tenants in one round, and asks for it from then on', async () => {
    const looks: string[] = [];
    const rounds: object[] = [];
    const tenancy = {
      tenants: async () => Array.from({ length: 60 }, (_, n) => (n === 37 ? 'acme' : `idle-${n}`)),
      peek: (tenantId: string, fn: (sql: SqlClient) => Promise<number>) => {
        looks.push(tenantId);
        return tenantId === 'acme' ? f.tenancy.peek!('acme', fn) : f.tenancy.peek!('globex', fn);
      },
    } as unknown as Tenancy;
    const options = resolveOptions({ tenancy: f.tenancy, relay: { afterMs: 1, intervalMs: 1_000 } });
    const fresh = new Relay(options, tenancy, f.queue as unknown as QueueBackend, f.dispatcher, f.events);
    const stop = f.events.on('relay.round', (round) => rounds.push(round));
    const use = jest.spyOn(f.dispatcher, 'tenantsInUse').mockReturnValue([]);
    const dispatch = jest.spyOn(f.dispatcher, 'dispatch').mockImplementation(() => undefined);
    try {
      await save('left');
      dispatch.mockRestore();
      let found = 0;
      while (rounds.length === 0) found += await fresh.runOnce();
      expect([found, looks.filter((id) => id.startsWith('idle-')).length]).toEqual([1, 59]);
      expect(rounds).toEqual([{ tenants: 60, tookMs: expect.any(Number) as unknown }]);
      f.queue.jobs.length = 0;
      expect(await fresh.runOnce()).toBe(1);
    } finally {
      use.mockRestore();
      stop();
    }
  }, 60_000);

  it('asks the queue next to nothing about a long line that waits rightly', async () => {
    await f.dataSource.getRepository(Item).save(Array.from({ length: 400 }, (_, n) => ({ name: `w${n}` })));
    await f.dispatcher.idle();
    await age(5_000);
    f.queue.asked = 0;
    for (let n = 0; n < 10; n++) expect(await relay.relayTenant('acme')).toBe(0);
    // ten times about the first one, once about the head of the line
    expect(f.queue.asked).toBeLessThanOrEqual(30);
  });

  it('adds nothing twice with several relays at once, nor what is finished', async () => {
    await save('a');
    await save('b');
    await f.dispatcher.idle();
    const [a] = await ids();
    await f.lease.sql.query({
      text: `update sandbox_action set finished_at = now(), status = 'done' where id = $1`,
      values: [a],
    });
    f.queue.jobs.length = 0;
    await age(120_000);
    await Promise.all([relay.relayTenant('acme'), relay.relayTenant('acme'), relay.relayTenant('acme')]);
    expect(f.queue.ids()).toEqual([(await ids())[1]]);
  });

  it('looks at a tenant whose database is closed without opening it', async () => {
    let opened = 0;
    f.tenancy.onOpen(() => void (opened += 1));
    await expect(relay.relayTenant('globex')).resolves.toBe(0);
    expect(opened).toBe(0);
  });

  it('reports what fails and never rejects', async () => {
    const errors: unknown[] = [];
    const stop = f.events.on('background.error', (event) => errors.push(event));
    const peek = jest.spyOn(f.tenancy, 'peek' as never).mockRejectedValue(new Error('gone') as never);
    await expect(relay.runOnce()).resolves.toBe(0);
    peek.mockRestore();
    stop();
    expect(errors).toContainEqual(expect.objectContaining({ where: 'relay' }));
  });

  it('notes queued actions without ever rejecting', async () => {
    const errors: unknown[] = [];
    const stop = f.events.on('background.error', (event) => errors.push(event));
    const marks = new QueuedMarks(f.tenancy, f.events);
    marks.add('nobody', ['01900000-0000-7000-8000-000000000001']);
    await marks.flush();
    stop();
    expect(errors).toEqual([expect.objectContaining({ where: 'queued-marks', tenantId: 'nobody' })]);
  });
});
