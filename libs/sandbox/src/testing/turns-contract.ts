import assert from 'node:assert/strict';
import type { DeliveryHandler } from '../processor/turns/turns.js';
import type { TurnsOptions } from '../processor/turns/turns.options.js';
import { casesOf, eventually, pause, type ContractCase, type ContractRule } from './contract.js';
import { testJob } from './queue-contract.js';
import { FAULT_RULES } from './turns-fault-rules.js';
import { jobs, noting, one, type TurnsFixture } from './turns-fixture.js';

const DELIVERY: ContractRule<TurnsFixture>[] = [
  {
    title: 'every job is delivered once and then gone, whichever process serves it',
    async run({ open, turns }) {
      const [a, b] = [await open(), await open()];
      const log: string[] = [];
      for (const backend of [a, b]) turns(backend, { concurrency: 4, tenants: one }).start(noting(log));
      const all = ['acme', 'globex', 'initech'].map((tenantId) => ({ tenantId, added: jobs(20, `${tenantId}-`) }));
      await Promise.all(all.map(({ tenantId, added }) => a.add(tenantId, added)));
      assert.ok(await eventually(() => log.length >= 60), `${log.length} of 60 delivered`);
      await pause(100);
      assert.equal(new Set(log).size, 60);
      assert.equal(log.length, 60);
      assert.deepEqual(await a.withWork(['acme', 'globex', 'initech']), []);
    },
  },
  {
    title: 'no more deliveries are in hand than concurrency allows',
    async run({ open, turns }) {
      const backend = await open();
      let [now, most, done] = [0, 0, 0];
      const tenantIds = Array.from({ length: 10 }, (_, n) => `t${n}`);
      for (const tenantId of tenantIds) await backend.add(tenantId, jobs(4));
      const served = turns(backend, { concurrency: 3, tenantConcurrency: () => 2, tenants: one });
      served.start(async (delivery) => {
        most = Math.max(most, (now += 1), served.held);
        await pause(5);
        now -= 1;
        await delivery.complete();
        done += 1;
      });
      assert.ok(await eventually(() => done === 40), `${done} of 40 done`);
      assert.equal(most, 3);
    },
  },
  {
    title: 'an ended delivery stays ended: later calls do nothing and say so',
    async run({ open, turns }) {
      const backend = await open();
      await backend.add('acme', jobs(1));
      const answers: boolean[] = [];
      turns(backend, { concurrency: 1, tenants: one }).start(async (delivery) => {
        answers.push(await delivery.complete(), await delivery.retry(0), await delivery.dead('x'));
        answers.push(await delivery.release());
      });
      assert.ok(await eventually(() => answers.length === 4));
      assert.deepEqual(answers, [true, false, false, false]);
    },
  },
  {
    title: 'a delivery that its handler throws out, or forgets to end, comes again',
    async run({ open, turns }) {
      const backend = await open();
      await backend.add('acme', jobs(2));
      const attempts: [string, number][] = [];
      turns(backend, { concurrency: 1, tenants: one }).start(async ({ job, attemptsMade }) => {
        attempts.push([job.actionId, attemptsMade]);
        if (attemptsMade === 0 && job.actionId === 'a0') throw new TypeError('a bug in the handler');
      });
      assert.ok(await eventually(() => attempts.some(([id, made]) => id === 'a0' && made === 1)));
    },
  },
  {
    title: 'a dead job is gone, and the next one comes',
    async run({ open, turns }) {
      const backend = await open();
      await backend.add('acme', jobs(2));
      const log: string[] = [];
      turns(backend, { concurrency: 1, tenants: one }).start(async (delivery) => {
        log.push(delivery.job.actionId);
        await (delivery.job.actionId === 'a0' ? delivery.dead('attempts used up') : delivery.complete());
      });
      assert.ok(await eventually(() => log.length === 2));
      assert.ok(await eventually(async () => (await backend.withWork(['acme'])).length === 0));
      await backend.add('acme', jobs(1));
      assert.ok(await eventually(() => log.length === 3), 'a dead action can be added again');
      assert.deepEqual(log, ['a0', 'a1', 'a0']);
    },
  },
];

const FAIRNESS: ContractRule<TurnsFixture>[] = [
  {
    title: 'tenants are served round robin: a flood delays another tenant by a turn, not by its length',
    async run({ open, turns }) {
      const backend = await open();
      await backend.add('flood', jobs(200, 'f'));
      await backend.add('other', jobs(200, 'o'));
      const log: string[] = [];
      turns(backend, { concurrency: 1, quantumJobs: 4, tenants: one }).start(async (delivery) => {
        if (log.length === 20) await backend.add('quiet', [testJob('quiet')]);
        log.push(delivery.job.actionId);
        await delivery.complete();
      });
      assert.ok(await eventually(() => log.includes('quiet'), 10_000));
      const waited = log.indexOf('quiet') - 20;
      assert.ok(waited <= 12, `${waited} jobs of the others came before it`);
      assert.ok(log.some((id) => id.startsWith('f')) && log.some((id) => id.startsWith('o')));
    },
  },
  {
    title: 'a tenant has no more jobs in hand than it may, over all processes, and none is left behind for it',
    async run({ open, turns }) {
      const [a, b] = [await open(), await open()];
      await a.add('acme', jobs(60));
      let [now, most, done] = [0, 0, 0];
      const handler: DeliveryHandler = async (delivery) => {
        most = Math.max(most, (now += 1));
        await pause(3);
        now -= 1;
        await delivery.complete();
        done += 1;
      };
      const options: TurnsOptions = { concurrency: 3, tenantConcurrency: () => 3, tenants: async () => [] };
      for (const backend of [a, b]) turns(backend, options).start(handler);
      assert.ok(await eventually(() => done === 60), `${done} of 60 done`);
      assert.equal(most, 3);
    },
  },
  {
    title: 'jobs that come while a tenant is at its limit are served without another signal',
    async run({ open, turns, checkMs }) {
      const backend = await open();
      const log: string[] = [];
      turns(backend, { concurrency: 4, tenants: async () => [] }).start(noting(log, 1));
      const began = Date.now();
      for (let n = 0; n < 100; n += 1) await backend.add('acme', [testJob(`a${n}`)]);
      assert.ok(await eventually(() => log.length === 100), `${log.length} of 100 delivered`);
      const perJob = (Date.now() - began) / 100;
      assert.ok(perJob < checkMs / 4, `${perJob} ms a job: some waited to be found`);
      assert.deepEqual(
        log,
        [...log].sort((x, y) => Number(x.slice(1)) - Number(y.slice(1))),
      );
    },
  },
  {
    title: 'a rate limit holds',
    async run({ open, turns }) {
      const backend = await open();
      await backend.add('acme', jobs(9));
      const times: number[] = [];
      const tenantRate = () => ({ max: 3, durationMs: 250 });
      turns(backend, { concurrency: 4, tenantConcurrency: () => 4, tenantRate, tenants: one }).start(
        async (delivery) => {
          times.push(Date.now());
          await delivery.complete();
        },
      );
      assert.ok(await eventually(() => times.length === 9));
      const took = (times.at(-1) ?? 0) - (times[0] ?? 0);
      assert.ok(took >= 450, `9 jobs, 3 in 250 ms, took ${took} ms`);
    },
  },
  {
    title: 'a paused tenant is served by nobody until it is resumed',
    async run({ open, turns }) {
      const [a, b] = [await open(), await open()];
      const log: string[] = [];
      const [first, second] = [a, b].map((backend) => turns(backend, { concurrency: 2, tenants: one }));
      first?.start(noting(log));
      second?.start(noting(log));
      await first?.pause('acme');
      await b.add('acme', jobs(2));
      await b.add('globex', [testJob('g')]);
      assert.ok(await eventually(() => log.length === 1));
      await pause(100);
      assert.deepEqual(log, ['g']);
      await second?.resume('acme');
      assert.ok(await eventually(() => log.length === 3));
    },
  },
];

const ORDER: ContractRule<TurnsFixture>[] = [
  {
    title: 'one at a time: the order holds over processes, retries, releases and lapsed locks',
    async run({ open, turns, lockMs }) {
      const [a, b] = [await open(), await open()];
      const done: string[] = [];
      const seen = new Map<string, number>();
      const handler: DeliveryHandler = async (delivery) => {
        const id = delivery.job.actionId;
        const times = (seen.get(id) ?? 0) + 1;
        seen.set(id, times);
        if (times === 1 && id === 'a3') return void (await delivery.retry(30));
        if (times === 1 && id === 'a5') return void (await delivery.release());
        if (times === 1 && id === 'a7') return void (await delivery.retry(0));
        await pause(1);
        if (await delivery.complete()) done.push(id);
      };
      await a.add('acme', jobs(12));
      // A process that dies with the first job in its hands.
      await a.forTenant('acme').setQueueMeta({ concurrency: 1 });
      assert.equal((await a.forTenant('acme').moveToActive('died'))[1], 'a0');
      for (const backend of [a, b]) turns(backend, { concurrency: 4, tenants: one }).start(handler);
      assert.ok(await eventually(() => done.length === 12, lockMs * 5 + 5_000), `${done.length} of 12 done`);
      assert.deepEqual(
        done,
        jobs(12).map(({ job }) => job.actionId),
      );
    },
  },
  {
    title: 'tenants that wait are begun in the order of the line, also while one with many jobs has slots',
    async run({ open, turns }) {
      const backend = await open();
      await backend.add('flood', jobs(200));
      const waiting = Array.from({ length: 40 }, (_, n) => `t${n}`);
      const begun: string[] = [];
      const options = { concurrency: 4, quantumJobs: 1, tenantConcurrency: () => 4, tenants: async () => [] };
      let flooded = 0;
      turns(backend, options).start(async (delivery) => {
        if (delivery.tenantId !== 'flood') begun.push(delivery.tenantId);
        else if ((flooded += 1) === 20) for (const id of waiting) await backend.add(id, [testJob(`${id}-1`)]);
        await pause(2);
        await delivery.complete();
      });
      assert.ok(await eventually(() => begun.length === waiting.length), `${begun.length} of ${waiting.length} begun`);
      const late = begun.map((id, place) => place - waiting.indexOf(id));
      assert.ok(Math.max(...late) <= options.concurrency, `begun in the order ${begun.join(' ')}`);
    },
  },
  {
    title: 'a retry comes after its delay, one attempt on, and holds the whole tenant where jobs run one at a time',
    async run({ open, turns }) {
      const backend = await open();
      await backend.add('acme', jobs(3));
      const log: [string, number, number][] = [];
      turns(backend, { concurrency: 4, tenants: one }).start(async (delivery) => {
        const { attemptsMade, job } = delivery;
        log.push([job.actionId, attemptsMade, Date.now()]);
        const again = job.actionId === 'a0' && attemptsMade < 2;
        await (again ? delivery.retry(150) : delivery.complete());
        // What comes meanwhile signals the tenant, and still has to wait.
        if (again) await backend.add('acme', [testJob(`b${attemptsMade}`)]);
      });
      assert.ok(await eventually(() => log.length === 7), `${log.length} of 7 deliveries`);
      const order = log.map(([id, attempt]) => `${id}/${attempt}`);
      assert.deepEqual(order, ['a0/0', 'a0/1', 'a0/2', 'a1/0', 'a2/0', 'b0/0', 'b1/0']);
      const [first, second, third] = log.map(([, , at]) => at);
      assert.ok(second! - first! >= 149 && third! - second! >= 149, 'the delay was kept');
      assert.ok(third! - first! < 1_500, 'it came when it was due');
    },
  },
  {
    title: 'a retry steps aside where jobs of a tenant run side by side',
    async run({ open, turns }) {
      const backend = await open();
      await backend.add('acme', jobs(4));
      const log: string[] = [];
      const options: TurnsOptions = { concurrency: 1, tenantConcurrency: () => 2, tenants: one };
      turns(backend, options).start(async (delivery) => {
        log.push(`${delivery.job.actionId}/${delivery.attemptsMade}`);
        const again = delivery.job.actionId === 'a0' && delivery.attemptsMade === 0;
        await (again ? delivery.retry(1_500) : delivery.complete());
      });
      assert.ok(await eventually(() => log.length === 5), `${log.length} of 5 deliveries`);
      assert.equal(log.at(-1), 'a0/1');
    },
  },
];

/** The rules that every `Turns` keeps, on every backend; `create` makes the fixture of one case. */
export function turnsContract(create: () => Promise<TurnsFixture>): readonly ContractCase[] {
  return casesOf([...DELIVERY, ...FAIRNESS, ...ORDER, ...FAULT_RULES], create);
}
