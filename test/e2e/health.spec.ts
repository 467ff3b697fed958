// The health indicators, on real services, up and down.
import { randomUUID } from 'node:crypto';
import { SandboxHealthModule } from '../../libs/sandbox/src/health/health.module.js';
import { SandboxHealthIndicator } from '../../libs/sandbox/src/health/sandbox-health.indicator.js';
import { SCRIPT_POOL } from '../../libs/sandbox/src/processor/pool/script-pool.js';
import { QUEUE_BACKEND } from '../../libs/sandbox/src/queue/queue-backend.js';
import { Fixture, type Instance } from './scripts.fixture.js';

const fixture = new Fixture(['acme', 'globex', 'initech']);
const stats = { threads: 4, busy: 4, waiting: 12 };
const pool = { provide: SCRIPT_POOL, useValue: { stats: () => stats } };
let instance: Instance;
let health: SandboxHealthIndicator;

beforeAll(async () => {
  await fixture.start();
  instance = await fixture.instance({ imports: [SandboxHealthModule], providers: [pool] });
  health = instance.module.get(SandboxHealthIndicator);
});
afterAll(() => fixture.stop());

it('says whether the queue answers', async () => {
  expect(await health.queue()).toEqual({
    queue: { status: 'up', kind: 'redis', answeredInMs: expect.any(Number) },
  });
  const since = () => new Promise(() => {});
  const hanging = { provide: QUEUE_BACKEND, useValue: { kind: 'redis', deployments: { since } } };
  const cutOff = await fixture.instance({ imports: [SandboxHealthModule], providers: [pool, hanging] });
  const indicator = cutOff.module.get(SandboxHealthIndicator);
  expect(await indicator.queue('line', { timeoutMs: 50 })).toEqual({
    line: { status: 'down', kind: 'redis', message: 'no answer within 50 ms' },
  });
});

it('says how long committed actions wait for the queue, of all tenants in turn', async () => {
  const lease = await instance.tenancy.lease('globex');
  const insert = `insert into sandbox_action
    (id, script_id, script_name, script_version, entity, operation, record_id, change, created_at, status, finished_at)
    values ($1, $1, 's', 1, 'order', 'create', '1', '{}', now() - interval '5 minutes', $2, $3)`;
  await lease.sql.query({ text: insert, values: [randomUUID(), 'done', new Date()] });
  // One that is parked waits rightly: there is no room for it in the queue.
  await lease.sql.query({ text: insert, values: [randomUUID(), 'pending', null] });
  await lease.sql.query({ text: 'update sandbox_action set parked = true where finished_at is null' });
  const look = (maxLagMs: number) => health.relay('relay', { tenantsPerCheck: 2, maxLagMs });
  expect(await look(60_000)).toEqual({ relay: { status: 'up', lagMs: 0, maxLagMs: 60_000, tenantsLookedAt: 2 } });
  expect(await look(60_000)).toMatchObject({ relay: { status: 'up', tenantsLookedAt: 1 } });
  await lease.sql.query({ text: insert, values: [randomUUID(), 'pending', null] });
  const { relay } = await look(60_000);
  expect(relay).toMatchObject({ status: 'down', maxLagMs: 60_000 });
  expect((relay as unknown as { lagMs: number }).lagMs).toBeGreaterThanOrEqual(300_000);
  await look(60_000);
  expect(await look(600_000)).toMatchObject({ relay: { status: 'up' } });
  lease.release();
});

it('says whether runs wait for threads', () => {
  expect(health.pool('pool', { maxWaiting: 12 })).toEqual({ pool: { status: 'up', ...stats, maxWaiting: 12 } });
  expect(health.pool('pool', { maxWaiting: 11 })).toMatchObject({ pool: { status: 'down', waiting: 12 } });
});
