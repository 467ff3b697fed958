// Both backends keep the contract of a queue, and the contract catches queues that do not.
import type { QueueBackend, TenantRing } from '../../libs/sandbox/src/queue/queue-backend.js';
import { queueBackendContract } from '../../libs/sandbox/src/testing/queue-contract.js';
import { postgresFixture, redisFixture, type Wrap } from './queue-fixtures.js';

describe.each([
  ['Redis', redisFixture],
  ['PostgreSQL', postgresFixture],
] as const)('the queue on %s', (_, create) => {
  const cases = queueBackendContract(() => create());
  it.each(cases.map((rule) => [rule.title, rule] as const))('%s', (_title, rule) => rule.run());
});

/** A backend with parts of it replaced. */
const changed = (change: (backend: QueueBackend) => Partial<QueueBackend>): Wrap => {
  return (backend) => {
    const parts = change(backend);
    return new Proxy(backend, {
      get(target, name) {
        if (name in parts) return Reflect.get(parts, name) as unknown;
        const value = Reflect.get(target, name) as unknown;
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  };
};
const ring = (change: (ring: TenantRing) => Partial<TenantRing>): Wrap =>
  changed((backend) => {
    const { ring: real } = backend;
    return {
      ring: {
        signal: (ids) => real.signal(ids),
        putBack: (ids) => real.putBack(ids),
        signalAt: (id, at) => real.signalAt(id, at),
        take: (count, waitMs, signal) => real.take(count, waitMs, signal),
        ...change(real),
      },
    };
  });

describe('the contract of the queue', () => {
  const broken: readonly (readonly [string, Wrap, string])[] = [
    [
      'forgets the order of the line',
      ring((real) => ({ take: async (...args) => (await real.take(...args)).reverse() })),
      'tenants leave the line in the order in which they were signalled, and a waiting one keeps its place',
    ],
    [
      'puts tenants back at the end of the line',
      ring((real) => ({ putBack: (ids) => real.signal(ids) })),
      'tenants that are put back come first, in their order, also where they were signalled again',
    ],
    [
      'drops every other signal',
      (backend) => {
        let calls = 0;
        return ring((real) => ({ signal: async (ids) => ((calls += 1) % 2 ? real.signal(ids.slice(1)) : undefined) }))(
          backend,
        );
      },
      'take waits, and a signal of another process ends the wait at once',
    ],
    [
      'gives a tenant to two takers',
      (backend) => {
        let last: string[] = [];
        const take: TenantRing['take'] = async (...args) => {
          const taken = await backend.ring.take(...args);
          const twice = taken.length > 1 ? [...taken, ...last.slice(0, 1)] : taken;
          last = taken;
          return twice;
        };
        return ring(() => ({ take }))(backend);
      },
      'a tenant is taken by one process only',
    ],
    [
      'does not wait for a signal',
      ring((real) => ({ take: (count) => real.take(count, 0) })),
      'take waits, and a signal of another process ends the wait at once',
    ],
    [
      'says the log is complete when it is not',
      changed(({ deployments }) => ({
        deployments: {
          announce: (id) => deployments.announce(id),
          since: async (cursor) => ({ ...(await deployments.since(cursor)), lost: false }),
        },
      })),
      'a log that lost its past says so, once',
    ],
    [
      'adds jobs without a signal',
      (backend) => {
        const silent = changed((real) => ({
          async add(tenantId, jobs) {
            const now = { job: { id: '', name: 'action', timestamp: Date.now(), opts: {} }, jobId: '' };
            for (const { job } of jobs) {
              const json = { ...now.job, id: job.actionId, data: JSON.stringify(job) };
              await real.forTenant(tenantId).addJob(json as never, job.actionId);
            }
          },
        }));
        return silent(backend);
      },
      'a tenant that gets a job is in the line, once',
    ],
    [
      'knows finished actions',
      changed(() => ({ known: async (_tenant, ids) => new Set(ids) })),
      'known names waiting, delayed and running actions of the tenant, and no others',
    ],
  ];

  it.each(broken)('catches a queue that %s', async (_what, wrap, title) => {
    const rule = queueBackendContract(() => redisFixture(wrap)).find((each) => each.title === title);
    await expect(rule?.run()).rejects.toThrow();
  });
});
