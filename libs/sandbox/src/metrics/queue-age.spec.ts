import { SandboxEvents } from '../events/sandbox-events.js';
import type { QueueBackend } from '../queue/queue-backend.js';
import type { Tenancy } from '../tenancy/tenancy.js';
import { QueueAge } from './queue-age.js';

/** Tenants' queues: when the next action in line was written, in seconds before now; `undefined` for one that is running. */
function queuesOf(waiting: Record<string, number | undefined>, tenants: readonly string[] = []) {
  const looks: (readonly string[])[] = [];
  const next = (tenantId: string) => {
    const age = waiting[tenantId];
    return age === undefined ? [] : [{ data: { createdAt: Date.now() - age * 1_000 } }];
  };
  const backend = {
    withWork: async (tenantIds: readonly string[]) => {
      looks.push(tenantIds);
      return tenantIds.filter((tenantId) => tenantId in waiting);
    },
    queue: (tenantId: string) => ({ getJobs: async () => next(tenantId) }),
  } as unknown as QueueBackend;
  const events = new SandboxEvents();
  const age = new QueueAge({ events, backend, tenancy: { tenants: async () => tenants } as unknown as Tenancy });
  const heardOf = (tenantId: string) => events.emit('actions.queued', { tenantId, actionIds: [], relayed: false });
  return { age, backend, heardOf, looks };
}

describe('the age of the queue', () => {
  it('is the longest wait of an action that is next in its line', async () => {
    const waiting: Record<string, number | undefined> = { acme: 30, globex: 90, initech: undefined };
    const { age } = queuesOf(waiting, ['acme', 'globex', 'initech', 'quiet']);
    expect(Math.round(await age.read())).toBe(90);
    delete waiting['globex'];
    expect(Math.round(await age.read())).toBe(30);
    waiting['acme'] = undefined;
    expect(await age.read()).toBe(0);
  });

  it('is asked of the tenants in use each time, and of the others in turn', async () => {
    const others = Array.from({ length: 120 }, (_, n) => `t${n}`);
    const { age, heardOf, looks } = queuesOf({ t0: 10, busy: 5 }, others);
    heardOf('busy');
    for (let n = 0; n < 3; n += 1) expect(Math.round(await age.read())).toBe(10);
    expect(looks.map((tenantIds) => tenantIds.length)).toEqual([51, 51, 21]);
    for (const look of looks) expect(look[0]).toBe('busy');
    expect(new Set(looks.flat()).size).toBe(121);
  });

  it('asks for at most fifty tenants in use', async () => {
    const { age, heardOf, looks } = queuesOf({});
    for (let n = 0; n < 200; n += 1) heardOf(`t${n}`);
    await age.read();
    expect(looks[0]).toHaveLength(50);
    expect(looks[0]).toContain('t199');
    age.stop();
    heardOf('late');
    await age.read();
    expect(looks[1]).not.toContain('late');
  });

  it('goes on ageing while the queue does not answer', async () => {
    const { age, backend } = queuesOf({ acme: 30 }, ['acme']);
    await age.read();
    backend.withWork = () => Promise.reject(new Error('away'));
    expect(await age.read()).toBeGreaterThanOrEqual(30);
  });
});
