// dedupe, debounce and throttle, decided in the tenant's database: exact over two processors, whatever the order.
import { randomUUID } from 'node:crypto';
import { ActionsService } from 'nestjs-sandbox';
import { Customer } from 'shop';
import { type Processors, startProcessors } from './processors.js';

describe.each([
  ['tenant', 'redis'],
  ['none', 'redis'],
  ['tenant', 'postgres'],
] as const)('with order %s, on %s', (order, queues) => {
  let two: Processors;
  const times: number[] = [];
  beforeAll(async () => {
    two = await startProcessors({ processing: { order } }, queues);
    const push = two.log.runs.push.bind(two.log.runs);
    two.log.runs.push = (...runs) => (times.push(performance.now()), push(...runs));
  }, 60_000);
  afterAll(() => two?.close());

  let group = 0;
  async function deploy(more: object): Promise<string> {
    for (const { name } of await two.scripts.list(two.tenantId)) await two.scripts.disable(two.tenantId, name);
    const name = `g${(group += 1)}`;
    const source = `context.probe.at({ group: '${name}', label: context.record.name + ' ' + context.record.email.split('@')[0], ms: 5 })`;
    await two.deploy({ name, source, entity: 'customer', on: ['create'], ...more });
    times.length = 0;
    return name;
  }
  /** Customers of that name, numbered; on both processes in turn. */
  const create = async (name: string, ...marks: string[]) => {
    for (const mark of marks)
      await two.tenants.run(two.tenantId, {}, (source) =>
        source.getRepository(Customer).save({ name, email: `${mark}@${randomUUID()}.test` } as Customer),
      );
  };
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const outcomes = async (name: string) =>
    Object.fromEntries(
      (
        await two.sql<{ outcome: string; n: number }>(
          `select outcome, count(*)::int as n from sandbox_action where script_name = '${name}' group by 1`,
        )
      ).map(({ outcome, n }) => [outcome, n]),
    );

  it('dedupe: the first one of a key wins within the window, and the next one after it', async () => {
    const name = await deploy({ dedupe: { key: ['name'], windowMs: 700 } });
    await create('a', '1', '2', '3');
    await create('b', '1', '2');
    await pause(800);
    await create('a', '4', '5');
    await two.settled();
    expect(two.log.labels(name).sort()).toEqual(['a 1', 'a 4', 'b 1']);
    expect(await outcomes(name)).toEqual({ ok: 3, deduplicated: 4 });
    const { items } = await two.apps[0]!.get(ActionsService).list(two.tenantId, { script: name, status: 'skipped' });
    expect(items[0]?.error?.message).toMatch(/^An action with the same key came first, within 700 ms: [0-9a-f-]{36}$/);
  }, 60_000);

  it('debounce: the last one of a key wins, with its record, once it has been quiet for so long', async () => {
    const name = await deploy({ debounce: { key: ['name'], delayMs: 500 } });
    const began = performance.now();
    await create('a', '1', '2', '3');
    await create('b', '1');
    await two.settled();
    expect(performance.now() - began).toBeGreaterThan(490);
    await create('a', '4');
    await two.settled();
    expect(two.log.labels(name).sort()).toEqual(['a 3', 'a 4', 'b 1']);
    expect(await outcomes(name)).toEqual({ ok: 3, debounced: 2 });
  }, 60_000);

  it('debounce does not keep the tenant’s other actions waiting', async () => {
    const name = await deploy({ debounce: { delayMs: 1_500 } });
    const source = `context.probe.at({ group: 'beside', label: context.record.name, ms: 1 })`;
    await two.deploy({ name: 'beside', source, entity: 'customer', on: ['create'] });
    await create('a', '1', '2');
    await two.settled();
    const seen = two.log.runs.filter((run) => run.group === name || run.group === 'beside').map((run) => run.group);
    expect(seen).toEqual(['beside', 'beside', name, name]);
  }, 60_000);

  it('throttle: so many begin in any window, the rest wait', async () => {
    const name = await deploy({ throttle: { limit: 3, windowMs: 500 } });
    await create('t', ...Array.from({ length: 10 }, (_, n) => String(n)));
    await two.settled();
    const labels = two.log.labels(name);
    expect(order === 'none' ? labels.sort() : labels).toEqual(Array.from({ length: 10 }, (_, n) => `t ${n}`));
    const rows = await two.sql<{ at: number }>(
      `select extract(epoch from admitted_at)::float8 * 1000 as at from sandbox_action where script_name = '${name}' order by admitted_at`,
    );
    for (const [n, { at }] of rows.entries()) if (n >= 3) expect(at - rows[n - 3]!.at).toBeGreaterThan(499.9);
    expect(times.at(-1)! - times[0]!).toBeGreaterThan(3 * 500 - 100);
    expect(await outcomes(name)).toEqual({ ok: 10 });
  }, 60_000);

  it('what a script says of it is kept through its versions', async () => {
    const name = await deploy({ throttle: { limit: 3, windowMs: 500 } });
    await two.deploy({
      name,
      source: '1',
      entity: 'customer',
      on: ['create'],
      dedupe: { windowMs: 9 },
    });
    const versions = await two.scripts.versions(two.tenantId, name);
    expect(versions.map(({ throttle, dedupe }) => ({ throttle, dedupe }))).toEqual([
      { throttle: undefined, dedupe: { windowMs: 9 } },
      { throttle: { limit: 3, windowMs: 500 }, dedupe: undefined },
    ]);
  });
});
