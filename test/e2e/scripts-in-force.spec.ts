// Which scripts are in force, as every process knows them: at once where they are deployed, within a second elsewhere, and
// never from a cache that may have missed something.
import { QUEUE_BACKEND, type QueueBackend } from '../../libs/sandbox/src/queue/queue-backend.js';
import type { Change } from '../../libs/sandbox/src/protocol/change.js';
import { DeploymentAnnouncer } from '../../libs/sandbox/src/scripts/deployment-announcer.js';
import { ScriptRegistryService } from '../../libs/sandbox/src/scripts/script-registry.service.js';
import { ScriptsService } from '../../libs/sandbox/src/scripts/scripts.service.js';
import type { SqlStatement, TenantLease } from '../../libs/sandbox/src/tenancy/tenancy.js';
import { until } from '../support/processes.mjs';
import { deployOf, Fixture, type Instance, loadIn, registryOf } from './scripts.fixture.js';

const fixture = new Fixture();
let first: Instance;
let second: Instance;
let scripts: ScriptsService;

beforeAll(async () => {
  await fixture.start();
  first = await fixture.instance();
  second = await fixture.instance();
  scripts = first.module.get(ScriptsService);
});
afterAll(() => fixture.stop());

const created: Change = {
  entity: 'order',
  operation: 'create',
  recordId: '1',
  record: { id: 1, status: 'open', amount: '50' },
  prevRecord: {},
  changed: ['status', 'amount'],
};

describe('the registry', () => {
  it('matches by entity, operation and condition, in order of name', async () => {
    const on = { tenant: 'globex' };
    await scripts.deploy(on.tenant, deployOf({ name: 'b', when: { record: { amount: { gte: '50.00' } } } }));
    await scripts.deploy(on.tenant, deployOf({ name: 'a', on: ['create', 'update'] }));
    await scripts.deploy(on.tenant, deployOf({ name: 'c', enabled: false, on: ['update'] }));
    await scripts.deploy(on.tenant, deployOf({ name: 'B' }));
    const index = await loadIn(first, on.tenant);
    expect(index.match(created).map(({ name }) => name)).toEqual(['B', 'a', 'b']);
    expect(index.match({ ...created, record: { amount: '49' } }).map(({ name }) => name)).toEqual(['B', 'a']);
    expect(index.match({ ...created, operation: 'update' }).map(({ name }) => name)).toEqual(['a']);
    expect(index.match({ ...created, entity: 'note' })).toEqual([]);
    expect([index.listens('order'), index.listens('order', 'delete'), index.listens('note')]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('has a deploy in force here at once, and in another process within a second', async () => {
    const { id, name } = await scripts.deploy('acme', deployOf());
    await until(async () => (await loadIn(second)) && registryOf(second).cached('acme')?.script(id));
    await scripts.deploy('acme', deployOf({ name, source: 'setResult("new")' }));
    const deployed = performance.now();
    expect((await loadIn(first)).script(id)?.version).toBe(2);
    // The same question that a write asks: what is cached and trusted, else what the database says.
    await until(async () => (registryOf(second).cached('acme') ?? (await loadIn(second))).script(id)?.version === 2, {
      everyMs: 5,
    });
    expect(performance.now() - deployed).toBeLessThan(1_000);
  });

  it('costs no statement while it is trusted, and reads a tenant once for many callers', async () => {
    const statements = jest.fn();
    const lease = await first.tenancy.lease('acme');
    const counting = {
      ...lease,
      sql: { query: (statement: never) => (statements(), lease.sql.query(statement)) },
    } as unknown as TenantLease;
    const registry = first.module.get(ScriptRegistryService);
    registry.invalidate('acme');
    await registry.runOnce();
    await Promise.all(Array.from({ length: 20 }, () => registry.load(counting)));
    expect(statements).toHaveBeenCalledTimes(1);
    await registry.runOnce();
    expect(registry.cached('acme')).toBe(await registry.load(counting));
    expect(statements).toHaveBeenCalledTimes(1);
    lease.release();
  });
});

/** A deployment log that can be cut off, flushed and stepped by hand. */
function steppedLog() {
  let announced: string[] = [];
  const log = {
    down: false,
    lost: false,
    announce: (tenantId: string) => {
      if (log.down) return Promise.reject(new Error('queue down'));
      announced.push(tenantId);
      return Promise.resolve();
    },
    since: (cursor: string | undefined) => {
      if (log.down) return Promise.reject(new Error('queue down'));
      const tenantIds = cursor === undefined ? [] : announced.slice(Number(cursor));
      const { lost } = log;
      if (lost) announced = [];
      log.lost = false;
      return Promise.resolve({ cursor: String(announced.length), tenantIds: lost ? [] : tenantIds, lost });
    },
  };
  return log;
}

describe('the registry, step by step', () => {
  const start = () => {
    const log = steppedLog();
    const backend = { deployments: log } as unknown as QueueBackend;
    return { log, registry: new ScriptRegistryService(backend, first.events), backend };
  };
  const spied = async (work: (lease: TenantLease, texts: string[]) => Promise<void>) => {
    const lease = await first.tenancy.lease('acme');
    const rows: string[] = [];
    const query = async (statement: SqlStatement) => {
      const result = await lease.sql.query<{ id: string | null }>(statement);
      const everything = statement.values?.[0] === -1;
      rows.push(everything || result.rows[0]?.id !== null ? 'read' : 'checked');
      return result;
    };
    await work({ ...lease, sql: { query } } as unknown as TenantLease, rows).finally(() => lease.release());
  };

  it('trusts nothing before it follows the deployments, and compares revisions instead of reading again', () =>
    spied(async (lease, done) => {
      const { registry } = start();
      const index = await registry.load(lease);
      expect(registry.cached('acme')).toBeUndefined();
      expect(await registry.load(lease)).toBe(index);
      expect(done).toEqual(['read', 'checked']);
    }));

  it('trusts nothing it read before its first look', () =>
    spied(async (lease, done) => {
      const { registry } = start();
      const index = await registry.load(lease);
      await registry.runOnce();
      expect(registry.cached('acme')).toBeUndefined();
      expect(await registry.load(lease)).toBe(index);
      expect(registry.cached('acme')).toBe(index);
      expect(done).toEqual(['read', 'checked']);
    }));

  it('stops trusting when the queue is away for longer than a look, and catches up afterwards', () =>
    spied(async (lease, done) => {
      const { registry, log } = start();
      await registry.runOnce();
      const index = await registry.load(lease);
      expect(registry.cached('acme')).toBe(index);
      log.down = true;
      await expect(registry.runOnce()).rejects.toThrow('queue down');
      await until(() => registry.cached('acme') === undefined, { timeoutMs: 1_000 });
      expect(await registry.load(lease)).toBe(index);
      log.down = false;
      await registry.runOnce();
      expect(registry.cached('acme')).toBe(index);
      expect(done).toEqual(['read', 'checked']);
    }));

  it('compares every revision when the log was lost', () =>
    spied(async (lease, done) => {
      const { registry, log } = start();
      await registry.runOnce();
      await registry.load(lease);
      log.lost = true;
      await registry.runOnce();
      expect(registry.cached('acme')).toBeUndefined();
      await registry.load(lease);
      expect(done).toEqual(['read', 'checked']);
    }));

  it('never keeps what was read before an announcement, however late the answer comes', () =>
    spied(async (lease) => {
      const { registry, log } = start();
      await registry.runOnce();
      let answer = () => undefined as void;
      const held = new Promise<void>((resolve) => (answer = resolve));
      const query = async (statement: never) => {
        const result = await lease.sql.query(statement);
        await held;
        return result;
      };
      const late = registry.load({ ...lease, sql: { query } } as unknown as TenantLease);
      await scripts.deploy('acme', deployOf());
      await log.announce('acme');
      await registry.runOnce();
      const fresh = await registry.load(lease);
      answer();
      expect((await late).revision).toBeLessThan(fresh.revision);
      expect(registry.cached('acme')).toBe(fresh);
    }));

  it('compares the revision after ten seconds even if nobody announced anything', () =>
    spied(async (lease, done) => {
      const { registry } = start();
      await registry.runOnce();
      await registry.load(lease);
      const now = performance.now();
      const clock = jest.spyOn(performance, 'now').mockImplementation(() => now + 10_001);
      await registry.runOnce();
      expect(registry.cached('acme')).toBeUndefined();
      await registry.load(lease);
      expect(registry.cached('acme')).toBeDefined();
      clock.mockRestore();
      expect(done).toEqual(['read', 'checked']);
    }));

  it('gives up a look that never ends', async () => {
    const { registry, log } = start();
    const answer = log.since;
    log.since = () => new Promise(() => {});
    await expect(registry.runOnce()).rejects.toMatchObject({ code: 'SANDBOX_QUEUE_UNAVAILABLE' });
    log.since = answer;
    await registry.runOnce();
  });

  it('announces a deploy in the background once the queue is back', async () => {
    const { log, backend } = start();
    const announcer = new DeploymentAnnouncer(backend, first.events);
    log.down = true;
    await announcer.announce('acme');
    expect(announcer.pending()).toEqual(['acme']);
    log.down = false;
    await until(() => announcer.pending().length === 0);
    expect((await log.since('0')).tenantIds).toEqual(['acme']);
    announcer.onModuleDestroy();
  });

  it('deploys though the queue hangs', async () => {
    const hanging = { deployments: { announce: () => new Promise(() => {}), since: () => new Promise(() => {}) } };
    const instance = await fixture.instance({ providers: [{ provide: QUEUE_BACKEND, useValue: hanging }] });
    const deployed = await instance.module.get(ScriptsService).deploy('acme', deployOf());
    expect((await loadIn(instance)).script(deployed.id)).toMatchObject({ version: 1 });
  });
});
