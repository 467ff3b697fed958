// What a host grants one tenant holds over all processors.
import { randomUUID } from 'node:crypto';
import { Customer } from 'shop';
import { type Processors, startProcessors } from './processors.js';

describe('processing.tenantRate', () => {
  let two: Processors;
  const times: number[] = [];
  beforeAll(async () => {
    two = await startProcessors({
      processing: { order: 'none', tenantRate: () => ({ max: 3, durationMs: 400 }) },
    });
  }, 60_000);
  afterAll(() => two?.close());

  it('lets so many actions begin in that time, over both processors', async () => {
    const push = two.log.runs.push.bind(two.log.runs);
    two.log.runs.push = (...runs) => (times.push(Date.now()), push(...runs));
    const source = `context.probe.at({ group: 'all', label: context.record.name, ms: 1 })`;
    await two.deploy({ name: 'all', source, entity: 'customer', on: ['create'] });
    await two.tenants.run(two.tenantId, {}, (source) =>
      source
        .getRepository(Customer)
        .save(
          Array.from(
            { length: 12 },
            (_, n) => ({ name: String(n), email: `${randomUUID()}@example.test` }) as Customer,
          ),
        ),
    );
    await two.settled();
    expect(times).toHaveLength(12);
    // 4 windows of 3: the last one begins after three whole ones, less what a run's start may be late by
    expect(times.at(-1)! - times[0]!).toBeGreaterThan(3 * 400 - 250);
  }, 60_000);
});
