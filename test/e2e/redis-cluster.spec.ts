// Redis Cluster: a tenant's keys live in one slot, the tenants are spread over the nodes, and everything works as on one
// server. A real cluster of three nodes, which this spec starts and stops.
import { randomBytes } from 'node:crypto';
import { Cluster } from 'ioredis';
import { TenantDataSources } from 'nestjs-sandbox';
import { SandboxEvents } from '../../libs/sandbox/src/events/sandbox-events.js';
import { QueueTurns } from '../../libs/sandbox/src/processor/turns/queue-turns.js';
import type { Turns } from '../../libs/sandbox/src/processor/turns/turns.js';
import type { QueueBackend } from '../../libs/sandbox/src/queue/queue-backend.js';
import { createRedisQueueBackend } from '../../libs/sandbox/src/queue/redis/redis-queue-backend.js';
import {
  type QueueBackendFixture,
  queueBackendContract,
  testJob,
} from '../../libs/sandbox/src/testing/queue-contract.js';
import { turnsContract } from '../../libs/sandbox/src/testing/turns-contract.js';
import type { TurnsFixture } from '../../libs/sandbox/src/testing/turns-fixture.js';
import { until } from '../support/processes.mjs';
import { startRedisCluster } from '../support/redis-cluster.mjs';
import { type Stack, startStack } from './stack.js';

const timing = { lockMs: 600, checkMs: 200 };
let cluster: Awaited<ReturnType<typeof startRedisCluster>>;
let connection: Cluster;

beforeAll(async () => {
  cluster = await startRedisCluster();
  connection = new Cluster(cluster.nodes);
}, 60_000);
afterAll(async () => {
  connection?.disconnect();
  await cluster?.stop();
});

async function queueFixture(): Promise<QueueBackendFixture> {
  const prefix = `contract-${randomBytes(6).toString('hex')}`;
  const backends: QueueBackend[] = [];
  return {
    checkMs: timing.checkMs,
    async open() {
      const backend = createRedisQueueBackend({ connection, prefix, ...timing });
      backends.push(backend);
      await backend.start();
      return backend;
    },
    flush: () => cluster.flush(),
    dispose: async () => void (await Promise.all(backends.map((backend) => backend.close()))),
  };
}

async function turnsFixture(): Promise<TurnsFixture> {
  const store = await queueFixture();
  const running: Turns[] = [];
  const reported: unknown[] = [];
  return {
    ...timing,
    reported,
    open: () => store.open(),
    flush: () => store.flush(),
    turns(backend, options) {
      const events = new SandboxEvents();
      events.on('background.error', ({ error }) => reported.push(error));
      const turns = new QueueTurns(backend, { ...timing, ...options }, events);
      running.push(turns);
      return turns;
    },
    async dispose() {
      await Promise.all(running.map((turns) => turns.stop(100)));
      await store.dispose();
    },
  };
}

/** The amounts of a tenant's orders, in the order in which their actions were done. */
async function ended({ app }: Stack, tenantId: string): Promise<string[]> {
  const rows = await app
    .get(TenantDataSources)
    .run(tenantId, {}, (source) =>
      source.query(`select change->'record'->>'amount' as amount from sandbox_action order by finished_at`),
    );
  return (rows as { amount: string }[]).map(({ amount }) => amount);
}

describe('on a cluster of three nodes', () => {
  it('the tenants are spread over the nodes, each with all its keys in one slot', async () => {
    await cluster.flush();
    const fixture = await queueFixture();
    const backend = await fixture.open();
    const tenants = Array.from({ length: 30 }, (_, n) => `tenant-${n}`);
    for (const tenantId of tenants) await backend.add(tenantId, [testJob('a'), testJob('b', 60_000)]);
    const byNode = (await cluster.keysByNode()).map((keys) => new Set(keys.map((key) => /\{(.+?)\}/.exec(key)?.[1])));
    for (const held of byNode) expect(held.size).toBeGreaterThan(3);
    expect(byNode.flatMap((held) => [...held]).sort()).toEqual([...tenants, '~turns'].sort());
    const log: string[] = [];
    const turns = new QueueTurns(backend, { concurrency: 8, ...timing, tenants: async () => tenants });
    turns.start(async (delivery) => {
      log.push(delivery.tenantId);
      await delivery.complete();
    });
    await until(() => log.length === tenants.length, { what: 'every tenant to be served' });
    await turns.stop(1_000);
    await fixture.dispose();
    expect(log.sort()).toEqual([...tenants].sort());
  });

  it('the whole pipeline works: effects and mails once, in order, for two tenants', async () => {
    const stack = await startStack({ module: { queue: { connection, prefix: 'pipeline' } } });
    try {
      const source = `const { id } = context.query({ entity: 'customer', where: { id: context.record.customerId } })[0];
        context.execute([{ op: 'update', entity: 'customer', id, increment: { orderTotal: context.record.amount } }]);
        context.sendEmail({ to: 'ann@' + context.tenantId + '.test', subject: context.record.amount, text: 'x' });`;
      for (const tenantId of [stack.acme, stack.globex]) {
        await stack.deploy(tenantId, source);
        const customer = await stack.createCustomer(tenantId);
        for (let n = 1; n <= 5; n += 1) await stack.createOrder(tenantId, customer, String(n));
        await stack.settled(tenantId);
        expect((await stack.customer(tenantId, customer.id)).orderTotal).toBe('15');
        await until(async () => (await stack.mailsTo(`ann@${tenantId}.test`)).length === 5, { what: 'five mails' });
        const mails = await stack.mailsTo(`ann@${tenantId}.test`);
        expect(mails.map(({ subject }) => subject).sort()).toEqual(['1', '2', '3', '4', '5']);
        expect(await ended(stack, tenantId)).toEqual(['1', '2', '3', '4', '5']);
      }
    } finally {
      await stack.close();
    }
  }, 60_000);

  describe('the queue', () => {
    it.each(queueBackendContract(queueFixture).map((rule) => [rule.title, rule] as const))('%s', (_, rule) =>
      rule.run(),
    );
  });

  describe('the turns', () => {
    it.each(turnsContract(turnsFixture).map((rule) => [rule.title, rule] as const))('%s', (_, rule) => rule.run());
  });
});
