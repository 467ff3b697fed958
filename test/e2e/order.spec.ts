// Which actions run side by side, and in which order: exact over two processors, whatever the scripts ask for.
import { randomUUID } from 'node:crypto';
import { ActionsService } from 'nestjs-sandbox';
import { Customer, Order } from 'shop';
import { until } from '../support/processes.mjs';
import { type Processors, startProcessors } from './processors.js';

const probe = (group: string, ms: number) =>
  `context.probe.at({ group: '${group}', label: context.record.name, ms: ${ms} })`;
const numbers = (count: number) => Array.from({ length: count }, (_, n) => String(n));

describe.each(['redis', 'postgres'] as const)('order, on %s', (queues) => {
  let two: Processors;
  beforeAll(async () => {
    two = await startProcessors({}, queues);
  }, 60_000);
  afterAll(() => two?.close());

  const deploy = (name: string, source: string, more: object) =>
    two.deploy({ name, source, entity: 'customer', on: ['create'], ...more });
  const create = (name: string) =>
    two.tenants.run(two.tenantId, {}, (source) =>
      source.getRepository(Customer).save({ name, email: `${randomUUID()}@example.test` } as Customer),
    );
  const rename = (id: string, name: string) =>
    two.tenants.run(two.tenantId, {}, (source) =>
      source.transaction(async (manager) => {
        const customer = await manager.findOneByOrFail(Customer, { id });
        customer.name = name;
        await manager.save(customer);
      }),
    );
  /** The other processors have heard of the deploy, and none counts on being alone any more. */
  const wide = () => until(async () => (await Promise.resolve(Date.now())) > changed + 3_200, { what: 'the deploy' });
  let changed = 0;
  beforeEach(() => (changed = Date.now()));

  it('tenant: one at a time, in order, beside scripts that ask for less', async () => {
    await deploy('strict', probe('strict', 15), {});
    await deploy('free', probe('free', 250), { order: 'none' });
    changed = Date.now();
    await wide();
    for (const n of numbers(12)) await create(n);
    await two.settled();
    expect(two.log.labels('strict')).toEqual(numbers(12));
    expect(two.log.most('strict')).toBe(1);
    expect([...two.log.labels('free')].sort()).toEqual([...numbers(12)].sort());
    expect(two.log.most('free')).toBeGreaterThan(2);
    expect(two.log.processors('free')).toEqual([0, 1]);
    expect(two.log.most('free', 'strict')).toBeGreaterThan(two.log.most('free') - 1);
  }, 60_000);

  it('record: those of one record in order, those of different records side by side', async () => {
    await two.scripts.disable(two.tenantId, 'strict');
    await two.scripts.disable(two.tenantId, 'free');
    const ids = (await Promise.all(numbers(4).map((n) => create(`r${n}`)))).map(({ id }) => id);
    const source = `context.probe.at({ group: 'record', label: context.record.id + ' ' + context.record.name, ms: 150 })`;
    await deploy('by-record', source, { on: ['update'], order: 'record' });
    changed = Date.now();
    await wide();
    for (const n of numbers(6)) for (const id of ids) await rename(id, n);
    await two.settled();
    const labels = two.log.labels('record');
    expect(labels).toHaveLength(24);
    for (const id of ids) {
      const own = two.log.of('record').filter(({ label }) => label.startsWith(id));
      expect(own.map(({ label }) => label.split(' ')[1])).toEqual(numbers(6));
      for (const [at, { from }] of own.entries()) if (at > 0) expect(from).toBeGreaterThan(own[at - 1]!.to);
    }
    expect(two.log.most('record')).toBeGreaterThan(2);
    expect(two.log.most('record')).toBeLessThanOrEqual(4);
    expect(two.log.processors('record')).toEqual([0, 1]);
  }, 60_000);

  it('a record in a hundred changes does not keep others waiting, and nothing is lost', async () => {
    const before = two.log.of('record').length;
    const [hot, cold] = await Promise.all([create('hot'), create('cold')]);
    for (let n = 0; n < 60; n += 1) await rename(hot.id, `h${n}`);
    await rename(cold.id, 'c');
    await two.settled();
    const runs = two.log.of('record').slice(before);
    expect(runs.filter(({ label }) => label.startsWith(hot.id)).map(({ label }) => label.split(' ')[1])).toEqual(
      Array.from({ length: 60 }, (_, n) => `h${n}`),
    );
    const { from } = runs.find(({ label }) => label.startsWith(cold.id))!;
    expect(runs.filter((run) => run.label.startsWith(hot.id) && run.from < from).length).toBeLessThan(60);
  }, 60_000);

  it('an action that is retried is not overtaken, and one that is cancelled lets those behind it go', async () => {
    await two.scripts.disable(two.tenantId, 'by-record');
    const source = `if (context.record.name === 'bad' && context.action.attempt === 1) throw new Error('no');
      if (context.record.name === 'stuck') throw new RetryLater(60_000);
      context.probe.at({ group: 'retry', label: context.record.name, ms: 5 })`;
    await deploy('again', source, { on: ['update'], order: 'record', retries: 3 });
    changed = Date.now();
    await wide();
    const { id } = await create('x');
    for (const name of ['a', 'bad', 'b', 'c']) await rename(id, name);
    await two.settled();
    expect(two.log.labels('retry')).toEqual(['a', 'bad', 'b', 'c']);
    for (const name of ['stuck', 'd']) await rename(id, name);
    const state = () =>
      two.sql(`select id, status, attempt, waits_for from sandbox_action where finished_at is null order by seq`);
    await until(async () => (await state())[1]?.['waits_for'] !== null, { what: 'the second one to wait' });
    const [stuck, behind] = await state();
    expect(behind).toMatchObject({ waits_for: stuck!['id'] });
    await two.apps[0]!.get(ActionsService).cancel(two.tenantId, stuck!['id'] as string);
    await two.settled();
    expect(two.log.labels('retry').at(-1)).toBe('d');
  }, 60_000);
});

describe('order of the module', () => {
  it('record, for every script that names none, from the first action on', async () => {
    const two = await startProcessors({ processing: { order: 'record' } });
    try {
      const source = `context.probe.at({ group: 'all', label: context.record.customerId + ' ' + context.record.amount, ms: 150 })`;
      await two.deploy({ name: 'all', source, entity: 'order', on: ['create'] });
      await two.tenants.run(two.tenantId, {}, async (source) => {
        const customer = await source
          .getRepository(Customer)
          .save({ name: 'Ada', email: `${randomUUID()}@example.test` } as Customer);
        for (const amount of numbers(8))
          await source.getRepository(Order).save({ customerId: customer.id, amount } as Order);
      });
      await two.settled();
      expect(two.log.of('all')).toHaveLength(8);
      expect(two.log.most('all')).toBeGreaterThan(1);
    } finally {
      await two.close();
    }
  }, 60_000);
});
