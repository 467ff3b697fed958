// The turns keep their contract on both backends, and the contract catches turns that do not.
import type { IQueueBackend } from 'bullmq';
import { SandboxEvents } from '../../libs/sandbox/src/events/sandbox-events.js';
import { QueueTurns } from '../../libs/sandbox/src/processor/turns/queue-turns.js';
import type { Turns } from '../../libs/sandbox/src/processor/turns/turns.js';
import type { TurnsOptions } from '../../libs/sandbox/src/processor/turns/turns.options.js';
import type { QueueBackend } from '../../libs/sandbox/src/queue/queue-backend.js';
import type { QueueBackendFixture } from '../../libs/sandbox/src/testing/queue-contract.js';
import { turnsContract } from '../../libs/sandbox/src/testing/turns-contract.js';
import type { TurnsFixture } from '../../libs/sandbox/src/testing/turns-fixture.js';
import { CHECK_MS, LOCK_MS, postgresFixture, redisFixture } from './queue-fixtures.js';

type MakeTurns = (backend: QueueBackend, options: TurnsOptions, events: SandboxEvents) => Turns;

async function turnsFixture(
  create: () => Promise<QueueBackendFixture>,
  make: MakeTurns = (backend, options, events) => new QueueTurns(backend, options, events),
): Promise<TurnsFixture> {
  const store = await create();
  const running: Turns[] = [];
  const reported: unknown[] = [];
  return {
    lockMs: LOCK_MS,
    checkMs: CHECK_MS,
    reported,
    open: () => store.open(),
    flush: () => store.flush(),
    turns(backend, options) {
      const events = new SandboxEvents();
      events.on('background.error', ({ error }) => reported.push(error));
      const turns = make(backend, { lockMs: LOCK_MS, checkMs: CHECK_MS, ...options }, events);
      running.push(turns);
      return turns;
    },
    async dispose() {
      await Promise.all(running.map((turns) => turns.stop(100)));
      await store.dispose();
    },
  };
}

describe.each([
  ['Redis', redisFixture],
  ['PostgreSQL', postgresFixture],
] as const)('the turns on %s', (_, create) => {
  const cases = turnsContract(() => turnsFixture(() => create()));
  it.each(cases.map((rule) => [rule.title, rule] as const))('%s', (_title, rule) => rule.run());
});

/** A view of an object with some of its parts replaced. */
function replaced<T extends object>(target: T, parts: Partial<Record<keyof T, unknown>>): T {
  return new Proxy(target, {
    get(real, name) {
      if (name in parts) return Reflect.get(parts, name) as unknown;
      const value = Reflect.get(real, name) as unknown;
      return typeof value === 'function' ? (value.bind(real) as unknown) : value;
    },
  });
}

/** Turns over a queue whose tenants' queues are changed. */
const onChangedTenants = (
  change: (tenant: IQueueBackend) => Partial<Record<keyof IQueueBackend, unknown>>,
): MakeTurns => {
  return (backend, options, events) => {
    const handles = new Map<string, IQueueBackend>();
    const forTenant = (tenantId: string): IQueueBackend => {
      const real = backend.forTenant(tenantId);
      const handle = handles.get(tenantId) ?? replaced(real, change(real));
      handles.set(tenantId, handle);
      return handle;
    };
    return new QueueTurns(replaced(backend, { forTenant }), options, events);
  };
};

const onChangedOptions =
  (change: (options: TurnsOptions) => TurnsOptions): MakeTurns =>
  (backend, options, events) =>
    new QueueTurns(backend, change(options), events);

const ORDER = 'one at a time: the order holds over processes, retries, releases and lapsed locks';

describe('the contract of the turns', () => {
  const broken: readonly (readonly [string, MakeTurns, string])[] = [
    [
      'stop for good at a tenant’s limit, because nobody signals when a job ends',
      onChangedTenants((tenant) => ({
        moveToCompleted: async (...args: Parameters<IQueueBackend['moveToCompleted']>) => {
          const [job, value, remove, token] = args;
          return { ...(await tenant.moveToCompleted(job, value, remove, token, false)), result: [] };
        },
      })),
      'a tenant has no more jobs in hand than it may, over all processes, and none is left behind for it',
    ],
    [
      'set no limit per tenant',
      onChangedTenants(() => ({ setQueueMeta: async () => 0 })),
      'a tenant has no more jobs in hand than it may, over all processes, and none is left behind for it',
    ],
    [
      'hand out more than the slots',
      onChangedOptions((options) => ({ ...options, concurrency: options.concurrency + 1 })),
      'no more deliveries are in hand than concurrency allows',
    ],
    [
      'never give way to another tenant',
      onChangedOptions((options) => ({ ...options, quantumJobs: 1e6, quantumMs: 1e6 })),
      'tenants are served round robin: a flood delays another tenant by a turn, not by its length',
    ],
    [
      'send tenants to the end of the line when slots are short',
      (backend, options, events) => {
        const { ring } = backend;
        const putBack = (tenantIds: readonly string[]): Promise<void> => ring.signal(tenantIds);
        return new QueueTurns(replaced(backend, { ring: replaced(ring, { putBack }) }), options, events);
      },
      'tenants that wait are begun in the order of the line, also while one with many jobs has slots',
    ],
    [
      'put a retry behind the tenant’s other jobs',
      onChangedTenants((tenant) => ({
        retryJob: (id: string, _front: boolean, token: string) => tenant.retryJob(id, false, token),
      })),
      ORDER,
    ],
    [
      'do not hold the tenant during a retry',
      onChangedTenants(() => ({ setRateLimit: async () => {} })),
      'a retry comes after its delay, one attempt on, and holds the whole tenant where jobs run one at a time',
    ],
    [
      'do not renew locks',
      onChangedTenants(() => ({ extendLocks: async () => [] })),
      'a job that takes longer than its lock is not delivered twice',
    ],
    [
      'do not look for jobs of dead processes',
      onChangedTenants(() => ({ moveStalledJobsToWait: async () => [] })),
      'a job whose processor died is delivered again, one attempt on',
    ],
    [
      'have no sweep',
      onChangedOptions((options) => ({ ...options, tenants: async () => [] })),
      'a job whose signal was lost is found by the sweep',
    ],
    [
      'keep at a stop what they hold',
      onChangedTenants(() => ({ moveJobFromActiveToWait: async () => 0 })),
      'a stop hands back at once what has not ended, and another process gets it as if never delivered',
    ],
  ];

  it.each(broken)('catches turns that %s', async (_what, make, title) => {
    const rule = turnsContract(() => turnsFixture(() => redisFixture(), make)).find((each) => each.title === title);
    await expect(rule?.run()).rejects.toThrow();
  });
});
