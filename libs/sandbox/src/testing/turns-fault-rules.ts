import assert from 'node:assert/strict';
import type { Delivery, DeliveryHandler } from '../processor/turns/turns.js';
import { eventually, pause, type ContractRule } from './contract.js';
import { testJob } from './queue-contract.js';
import { addSilently, jobs, noting, one, type TurnsFixture } from './turns-fixture.js';

/** What the turns keep when processes die, locks lapse, signals get lost or others write to the queue. */
export const FAULT_RULES: ContractRule<TurnsFixture>[] = [
  {
    title: 'a job whose processor died is delivered again, one attempt on',
    async run({ open, turns, lockMs, checkMs }) {
      const [dead, alive] = [await open(), await open()];
      await dead.add('acme', jobs(1));
      assert.deepEqual(await dead.ring.take(1, 0), ['acme']);
      await dead.forTenant('acme').moveToActive('died');
      const attempts: number[] = [];
      turns(alive, { concurrency: 1, tenants: async () => [] }).start(async (delivery) => {
        attempts.push(delivery.attemptsMade);
        await delivery.complete();
      });
      assert.ok(await eventually(() => attempts.length === 1, lockMs + checkMs * 6 + 2_000), 'not delivered');
      assert.deepEqual(attempts, [1]);
    },
  },
  {
    title: 'a job that takes longer than its lock is not delivered twice',
    async run({ open, turns, lockMs }) {
      const [a, b] = [await open(), await open()];
      await a.add('acme', jobs(1));
      let delivered = 0;
      const ended: boolean[] = [];
      const handler: DeliveryHandler = async (delivery) => {
        delivered += 1;
        await pause(lockMs * 3);
        ended.push(await delivery.complete());
      };
      for (const backend of [a, b]) turns(backend, { concurrency: 2, tenants: one }).start(handler);
      assert.ok(await eventually(() => ended.length > 0, lockMs * 5 + 2_000));
      assert.deepEqual([delivered, ended], [1, [true]]);
    },
  },
  {
    title: 'a delivery whose lock was lost hears of it, and cannot end the job any more',
    async run({ open, turns, flush, lockMs }) {
      const backend = await open();
      await backend.add('acme', jobs(1));
      const answers: unknown[] = [];
      turns(backend, { concurrency: 1, tenants: async () => [] }).start(async (delivery) => {
        await flush();
        await eventually(() => delivery.signal.aborted, lockMs * 3);
        answers.push(delivery.signal.aborted, await delivery.complete());
      });
      assert.ok(await eventually(() => answers.length === 2));
      assert.deepEqual(answers, [true, false]);
    },
  },
  {
    title: 'a job whose signal was lost is found by the sweep',
    async run({ open, turns }) {
      const backend = await open();
      const log: string[] = [];
      await addSilently(backend, 'acme', 'a1', JSON.stringify(testJob('a1').job));
      turns(backend, { concurrency: 1, tenants: one }).start(noting(log));
      assert.ok(await eventually(() => log.length === 1));
    },
  },
  {
    title: 'a malformed job is removed and reported, and its tenant goes on',
    async run({ open, turns, reported }) {
      const backend = await open();
      await addSilently(backend, 'acme', 'bad1', '{}');
      await addSilently(backend, 'acme', 'bad2', '"text"');
      await backend.add('acme', jobs(1));
      await addSilently(backend, 'acme', 'bad3', JSON.stringify({ actionId: 'other', scriptId: 's' }));
      await backend.add('acme', [testJob('a1')]);
      const log: string[] = [];
      turns(backend, { concurrency: 1, tenants: one }).start(noting(log));
      assert.ok(await eventually(() => log.length === 2), `${log.length} of 2 delivered`);
      assert.deepEqual(log, ['a0', 'a1']);
      const codes = reported.map((error) => (error as { code?: string }).code ?? String(error));
      assert.deepEqual(codes, Array(3).fill('SANDBOX_MALFORMED_JOB'));
      assert.ok(await eventually(async () => (await backend.withWork(['acme'])).length === 0));
    },
  },
  {
    title: 'a stop hands back at once what has not ended, and another process gets it as if never delivered',
    async run({ open, turns, lockMs }) {
      const [a, b] = [await open(), await open()];
      await a.add('acme', jobs(3));
      const held: Delivery[] = [];
      const stopping = turns(a, { concurrency: 2, tenants: one });
      stopping.start(async (delivery) => {
        held.push(delivery);
        await new Promise<void>((resolve) => delivery.signal.addEventListener('abort', () => resolve()));
      });
      assert.ok(await eventually(() => held.length === 1));
      const began = Date.now();
      await stopping.stop(50);
      assert.ok(held[0]?.signal.aborted);
      const log: string[] = [];
      turns(b, { concurrency: 2, tenants: async () => [] }).start(async (delivery) => {
        log.push(`${delivery.job.actionId}/${delivery.attemptsMade}`);
        await delivery.complete();
      });
      assert.ok(await eventually(() => log.length === 3));
      assert.ok(Date.now() - began < lockMs, 'it waited for the lock to lapse');
      assert.deepEqual(log, ['a0/0', 'a1/0', 'a2/0']);
    },
  },
  {
    title: 'a stop waits for handlers that end in time, and takes no more',
    async run({ open, turns }) {
      const backend = await open();
      await backend.add('acme', jobs(3));
      const log: string[] = [];
      const stopping = turns(backend, { concurrency: 1, tenants: one });
      stopping.start(noting(log, 100));
      assert.ok(await eventually(() => log.length === 1));
      await stopping.stop(2_000);
      assert.deepEqual(log, ['a0']);
      assert.equal(stopping.held, 0);
      assert.deepEqual([...(await backend.known('acme', ['a0', 'a1', 'a2']))].sort(), ['a1', 'a2']);
    },
  },
];
