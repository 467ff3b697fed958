import assert from 'node:assert/strict';
import { InvalidTenantIdError } from '../errors/tenant.errors.js';
import type { ActionJob } from '../protocol/job.js';
import type { NewJob, QueueBackend } from '../queue/queue-backend.js';
import { casesOf, eventually, pause, type ContractCase, type ContractRule, type Disposable } from './contract.js';

/** What a case needs of an implementation: a store of its own, and as many backends over it as it opens. */
export interface QueueBackendFixture extends Disposable {
  /** A started backend over the case's store: each is like another process. `dispose` closes it. */
  readonly open: () => Promise<QueueBackend>;
  /** Loses everything that the store holds, as a flush does. */
  readonly flush: () => Promise<void>;
  /** The backends' `checkMs`: at most 300, so that the suite stays quick. */
  readonly checkMs: number;
}

/** A job for tests. */
export function testJob(actionId: string, delayMs?: number): NewJob {
  const job: ActionJob = { actionId, scriptId: 's', scriptVersion: 1, userId: null, depth: 0, createdAt: Date.now() };
  return delayMs === undefined ? { job } : { job, delayMs };
}

/** Claims the tenant's next job as a processor does; its id, or undefined. */
async function claim(backend: QueueBackend, tenantId: string, token = 'token'): Promise<string | undefined> {
  const [, id] = await backend.forTenant(tenantId).moveToActive(token);
  return id ? String(id) : undefined;
}

async function claimAll(backend: QueueBackend, tenantId: string): Promise<string[]> {
  const ids: string[] = [];
  for (let id = await claim(backend, tenantId); id; id = await claim(backend, tenantId)) ids.push(id);
  return ids;
}

const LINE: ContractRule<QueueBackendFixture>[] = [
  {
    title: 'a tenant that gets a job is in the line, once',
    async run({ open }) {
      const backend = await open();
      await backend.add('acme', [testJob('a1'), testJob('a2')]);
      assert.deepEqual(await backend.ring.take(10, 0), ['acme']);
      assert.deepEqual(await backend.ring.take(10, 0), []);
    },
  },
  {
    title: 'tenants leave the line in the order in which they were signalled, and a waiting one keeps its place',
    async run({ open }) {
      const [backend, other] = [await open(), await open()];
      await backend.ring.signal(['b', 'a']);
      await other.ring.signal(['c', 'b', 'a']);
      assert.deepEqual(await backend.ring.take(2, 0), ['b', 'a']);
      await backend.ring.signal(['a']);
      assert.deepEqual(await other.ring.take(10, 0), ['c', 'a']);
    },
  },
  {
    title: 'tenants that are put back come first, in their order, also where they were signalled again',
    async run({ open }) {
      const [backend, other] = [await open(), await open()];
      await backend.ring.signal(['c', 'a', 'b', 'd']);
      assert.deepEqual(await backend.ring.take(3, 0), ['c', 'a', 'b']);
      await other.ring.signal(['e', 'b']);
      await backend.ring.putBack(['a', 'b']);
      assert.deepEqual(await other.ring.take(1, 0), ['a']);
      await other.ring.putBack(['a']);
      assert.deepEqual(await backend.ring.take(10, 0), ['a', 'b', 'd', 'e']);
      const taking = other.ring.take(1, 5_000);
      await pause(50);
      await backend.ring.putBack(['d']);
      assert.deepEqual(await taking, ['d']);
    },
  },
  {
    title: 'a tenant is taken by one process only',
    async run({ open }) {
      const [a, b] = [await open(), await open()];
      const tenantIds = Array.from({ length: 60 }, (_, n) => `t${n}`);
      await a.ring.signal(tenantIds);
      const takes = Array.from({ length: 20 }, (_, n) => (n % 2 ? a : b).ring.take(5, 0));
      const taken = (await Promise.all(takes)).flat();
      for (let more = ['']; more.length > 0; taken.push(...more)) more = await a.ring.take(60, 0);
      assert.deepEqual([...taken].sort(), [...tenantIds].sort());
    },
  },
  {
    title: 'take waits, and a signal of another process ends the wait at once',
    async run({ open }) {
      const [backend, other] = [await open(), await open()];
      const began = Date.now();
      const taking = backend.ring.take(1, 5_000);
      await pause(50);
      await other.ring.signal(['acme']);
      assert.deepEqual(await taking, ['acme']);
      assert.ok(Date.now() - began < 1_000, `took ${Date.now() - began} ms`);
    },
  },
  {
    title: 'take waits no longer than it was told, nor after its signal has aborted, nor after close',
    async run({ open }) {
      const [backend, other] = [await open(), await open()];
      const began = Date.now();
      assert.deepEqual(await backend.ring.take(1, 100), []);
      const abort = new AbortController();
      const taking = backend.ring.take(1, 5_000, abort.signal);
      setTimeout(() => abort.abort(), 50);
      assert.deepEqual(await taking, []);
      const closed = other.ring.take(1, 5_000);
      setTimeout(() => void other.close(), 50);
      assert.deepEqual(await closed, []);
      assert.ok(Date.now() - began < 2_500, `took ${Date.now() - began} ms`);
    },
  },
  {
    title: 'signalAt puts a tenant into the line at its time; the earliest time counts, and wakes whoever waits',
    async run({ open }) {
      const backend = await open();
      const began = Date.now();
      const taking = backend.ring.take(1, 3_000);
      await backend.ring.signalAt('acme', began + 60_000);
      await backend.ring.signalAt('acme', began + 200);
      await backend.ring.signalAt('acme', began + 90_000);
      assert.deepEqual(await taking, ['acme']);
      const waited = Date.now() - began;
      assert.ok(waited >= 199 && waited < 1_000, `came after ${waited} ms`);
    },
  },
  {
    title: 'a tenant that was taken comes back by itself once, and not again',
    async run({ open, checkMs }) {
      const [backend, other] = [await open(), await open()];
      await backend.ring.signal(['acme']);
      assert.deepEqual(await backend.ring.take(1, 0), ['acme']);
      assert.deepEqual(await other.ring.take(1, checkMs * 5), ['acme']);
      assert.deepEqual(await other.ring.take(1, checkMs * 3), []);
    },
  },
  {
    title: 'a tenant that is taken by a wait comes back by itself too',
    async run({ open, checkMs }) {
      const [backend, other] = [await open(), await open()];
      const taking = backend.ring.take(1, 2_000);
      await pause(50);
      await other.ring.signal(['acme']);
      assert.deepEqual(await taking, ['acme']);
      assert.deepEqual(await other.ring.take(1, checkMs * 5), ['acme']);
    },
  },
];

const JOBS: ContractRule<QueueBackendFixture>[] = [
  {
    title: 'jobs of a tenant are claimed in the order in which they were added',
    async run({ open }) {
      const [backend, other] = [await open(), await open()];
      await backend.add('acme', [testJob('a3'), testJob('a1')]);
      await other.add('acme', [testJob('a2')]);
      assert.deepEqual(await claimAll(other, 'acme'), ['a3', 'a1', 'a2']);
    },
  },
  {
    title: 'an action that is added again while the queue knows it is there once',
    async run({ open }) {
      const backend = await open();
      await backend.add('acme', [testJob('a1'), testJob('a2')]);
      await backend.add('acme', [testJob('a1')]);
      assert.equal(await claim(backend, 'acme'), 'a1');
      await backend.add('acme', [testJob('a1')]);
      assert.deepEqual(await claimAll(backend, 'acme'), ['a2']);
    },
  },
  {
    title: 'a finished action can be added again',
    async run({ open }) {
      const backend = await open();
      for (const round of [1, 2]) {
        await backend.add('acme', [testJob('a1')]);
        assert.equal(await claim(backend, 'acme'), 'a1', `round ${round}`);
        await backend.forTenant('acme').moveToCompleted({ id: 'a1', opts: {} } as never, null, true, 'token', false);
      }
    },
  },
  {
    title: 'a delayed job is neither claimed nor signalled before its time, and both after it',
    async run({ open }) {
      const backend = await open();
      const began = Date.now();
      await backend.add('acme', [testJob('a1', 250)]);
      assert.equal(await claim(backend, 'acme'), undefined);
      assert.deepEqual(await backend.ring.take(1, 0), []);
      assert.deepEqual(await backend.ring.take(1, 3_000), ['acme']);
      assert.ok(Date.now() - began >= 249);
      assert.ok(await eventually(async () => (await claim(backend, 'acme')) === 'a1'));
    },
  },
  {
    title: 'a released job, and one whose lock lapsed, go back before the jobs behind them',
    async run({ open }) {
      const backend = await open();
      await backend.add('acme', [testJob('a1'), testJob('a2'), testJob('a3')]);
      const tenant = backend.forTenant('acme');
      assert.equal(await claim(backend, 'acme', 'mine'), 'a1');
      await tenant.moveJobFromActiveToWait('a1', 'mine');
      assert.equal(await claim(backend, 'acme', 'mine'), 'a1');
      await tenant.extendLocks(['a1'], ['mine'], 1);
      assert.ok(await eventually(async () => (await tenant.moveStalledJobsToWait()).includes('a1')));
      assert.deepEqual(await claimAll(backend, 'acme'), ['a1', 'a2', 'a3']);
    },
  },
  {
    title: 'a job cannot be released or finished with the lock of another',
    async run({ open }) {
      const backend = await open();
      await backend.add('acme', [testJob('a1')]);
      await claim(backend, 'acme', 'mine');
      const tenant = backend.forTenant('acme');
      await assert.rejects(tenant.moveJobFromActiveToWait('a1', 'other'));
      await assert.rejects(tenant.moveToCompleted({ id: 'a1', opts: {} } as never, null, true, 'other', false));
      assert.deepEqual(await tenant.extendLocks(['a1'], ['other'], 1_000), ['a1']);
      assert.deepEqual(await tenant.extendLocks(['a1'], ['mine'], 1_000), []);
    },
  },
];

const LOOKUPS: ContractRule<QueueBackendFixture>[] = [
  {
    title: 'known names waiting, delayed and running actions of the tenant, and no others',
    async run({ open }) {
      const [backend, other] = [await open(), await open()];
      await backend.add('acme', [testJob('a-running'), testJob('a-done')]);
      await claim(backend, 'acme', 'one');
      await claim(backend, 'acme', 'two');
      await backend.forTenant('acme').moveToCompleted({ id: 'a-done', opts: {} } as never, null, true, 'two', false);
      await backend.add('acme', [testJob('a-waiting'), testJob('a-delayed', 60_000)]);
      await backend.add('globex', [testJob('a-foreign')]);
      const known = await other.known('acme', [
        'a-running',
        'a-done',
        'a-waiting',
        'a-delayed',
        'a-foreign',
        'a-never',
      ]);
      assert.deepEqual([...known].sort(), ['a-delayed', 'a-running', 'a-waiting']);
    },
  },
  {
    title: 'remove takes waiting and delayed jobs away, and leaves a running one',
    async run({ open }) {
      const backend = await open();
      await backend.add('acme', [
        testJob('a-running'),
        testJob('a-waiting'),
        testJob('a-kept'),
        testJob('a-delayed', 60_000),
      ]);
      await claim(backend, 'acme', 'one');
      await backend.remove('acme', ['a-running', 'a-waiting', 'a-delayed', 'a-never']);
      const known = await backend.known('acme', ['a-running', 'a-waiting', 'a-kept', 'a-delayed']);
      assert.deepEqual([...known].sort(), ['a-kept', 'a-running']);
    },
  },
  {
    title: 'withWork names tenants with waiting, delayed or running jobs',
    async run({ open }) {
      const backend = await open();
      await backend.add('running', [testJob('a1')]);
      await claim(backend, 'running');
      await backend.add('delayed', [testJob('a1', 60_000)]);
      await backend.add('waiting', [testJob('a1')]);
      await backend.add('done', [testJob('a1')]);
      await claim(backend, 'done', 'one');
      await backend.forTenant('done').moveToCompleted({ id: 'a1', opts: {} } as never, null, true, 'one', false);
      const found = await backend.withWork(['running', 'delayed', 'waiting', 'done', 'never']);
      assert.deepEqual([...found].sort(), ['delayed', 'running', 'waiting']);
    },
  },
  {
    title: 'a tenant is a plain BullMQ queue of its own: counted and paused with BullMQ’s own means',
    async run({ open }) {
      const backend = await open();
      await backend.add('acme', [testJob('a1'), testJob('a2', 60_000)]);
      const counts = await backend.queue('acme').getJobCounts('waiting', 'delayed');
      assert.deepEqual(counts, { waiting: 1, delayed: 1 });
      assert.equal(await backend.queue('globex').getJobCountByTypes('waiting', 'delayed'), 0);
      await backend.queue('acme').pause();
      assert.equal(await claim(backend, 'acme'), undefined);
      await backend.queue('acme').resume();
      assert.equal(await claim(backend, 'acme'), 'a1');
    },
  },
  {
    title: 'an id that cannot be part of a key is refused',
    async run({ open }) {
      const backend = await open();
      for (const tenantId of ['', 'a:b', 'a}b', '../a', 'ä', 'x'.repeat(64)]) {
        await assert.rejects(backend.add(tenantId, [testJob('a1')]), InvalidTenantIdError);
        assert.throws(() => backend.forTenant(tenantId), InvalidTenantIdError);
        assert.throws(() => backend.queue(tenantId), InvalidTenantIdError);
      }
    },
  },
];

const DEPLOYMENTS: ContractRule<QueueBackendFixture>[] = [
  {
    title: 'every process sees a deployment once, from where it began to read',
    async run({ open }) {
      const [backend, other] = [await open(), await open()];
      await backend.deployments.announce('before');
      const start = await other.deployments.since(undefined);
      assert.deepEqual([start.tenantIds, start.lost], [[], false]);
      await backend.deployments.announce('acme');
      await backend.deployments.announce('globex');
      await backend.deployments.announce('acme');
      const next = await other.deployments.since(start.cursor);
      assert.deepEqual([[...next.tenantIds].sort(), next.lost], [['acme', 'globex'], false]);
      const last = await other.deployments.since(next.cursor);
      assert.deepEqual([last.tenantIds, last.lost], [[], false]);
    },
  },
  {
    title: 'announcements made at once are all seen, whatever is read in between',
    async run({ open }) {
      const [backend, other] = [await open(), await open()];
      let { cursor } = await other.deployments.since(undefined);
      const seen = new Set<string>();
      const tenantIds = Array.from({ length: 40 }, (_, n) => `t${n}`);
      let announcing = true;
      const all = Promise.all(tenantIds.map((id) => backend.deployments.announce(id))).then(() => (announcing = false));
      for (let rounds = 0; announcing || rounds < 2; rounds += announcing ? 0 : 1) {
        const read = await other.deployments.since(cursor);
        cursor = read.cursor;
        for (const id of read.tenantIds) seen.add(id);
      }
      await all;
      assert.deepEqual([...seen].sort(), [...tenantIds].sort());
    },
  },
  {
    title: 'a log that lost its past says so, once',
    async run({ open, flush }) {
      const backend = await open();
      await backend.deployments.announce('acme');
      const { cursor } = await backend.deployments.since(undefined);
      await flush();
      const after = await backend.deployments.since(cursor);
      assert.equal(after.lost, true);
      await backend.deployments.announce('acme');
      const next = await backend.deployments.since(after.cursor);
      assert.deepEqual([next.tenantIds, next.lost], [['acme'], false]);
    },
  },
];

/** The rules that every `QueueBackend` keeps; `create` makes the fixture of one case. */
export function queueBackendContract(create: () => Promise<QueueBackendFixture>): readonly ContractCase[] {
  return casesOf([...LINE, ...JOBS, ...LOOKUPS, ...DEPLOYMENTS], create);
}
