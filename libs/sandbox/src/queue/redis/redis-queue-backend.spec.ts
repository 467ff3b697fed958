// What a producer and a processor see while Redis is away, comes back, and comes back empty.
import { SandboxEvents } from '../../events/sandbox-events.js';
import { QueueTurns } from '../../processor/turns/queue-turns.js';
import { testJob } from '../../testing/queue-contract.js';
import { startRedis } from '../../../../../test/support/redis.mjs';
import { freePort, until } from '../../../../../test/support/processes.mjs';
import type { QueueBackend } from '../queue-backend.js';
import { createRedisQueueBackend } from './redis-queue-backend.js';

const timing = { lockMs: 600, checkMs: 200, addTimeoutMs: 400 };
const open: QueueBackend[] = [];
const onRedis = (url: string, addTimeoutMs = timing.addTimeoutMs) => {
  const backend = createRedisQueueBackend({ connection: { url }, ...timing, addTimeoutMs });
  open.push(backend);
  return backend;
};
const unavailable = { code: 'SANDBOX_QUEUE_UNAVAILABLE' };

afterEach(async () => {
  await Promise.all(open.splice(0).map((backend) => backend.close()));
});

describe('the queue on a Redis that is away', () => {
  it('refuses to start in time, and starts once Redis is there', async () => {
    const port = await freePort();
    const backend = onRedis(`redis://127.0.0.1:${port}`);
    const began = Date.now();
    await expect(backend.start()).rejects.toMatchObject(unavailable);
    expect(Date.now() - began).toBeLessThan(2_000);
    const redis = await startRedis({ port });
    await until(() => backend.start().then(() => true));
    await backend.add('acme', [testJob('a1')]);
    expect(await backend.ring.take(1, 0)).toEqual(['acme']);
    await redis.stop();
  });

  it('rejects adds with a named error in time, at once when Redis has been away for long, and adds again afterwards', async () => {
    const redis = await startRedis();
    const backend = onRedis(redis.url);
    await backend.start();
    await redis.kill();
    const began = Date.now();
    await expect(backend.add('acme', [testJob('a1')])).rejects.toMatchObject(unavailable);
    expect(Date.now() - began).toBeLessThan(1_500);
    await until(() => Date.now() - began > timing.addTimeoutMs + 100);
    const again = Date.now();
    await expect(backend.add('acme', [testJob('a2')])).rejects.toMatchObject(unavailable);
    expect(Date.now() - again).toBeLessThan(100);
    await redis.restart();
    await until(() => backend.add('acme', [testJob('a3')]).then(() => true));
    expect(await backend.known('acme', ['a3'])).toEqual(new Set(['a3']));
    await redis.stop();
  });

  it('serves on after a restart that lost everything, with the limits set again', async () => {
    const redis = await startRedis();
    const [backend, other] = [onRedis(redis.url, 5_000), onRedis(redis.url, 5_000)];
    await Promise.all([backend.start(), other.start()]);
    const events = new SandboxEvents();
    const log: string[] = [];
    const turns = new QueueTurns(backend, { concurrency: 4, tenants: async () => [], ...timing }, events);
    turns.start(async (delivery) => {
      log.push(delivery.job.actionId);
      await delivery.complete();
    });
    await other.add('acme', [testJob('a1')]);
    await until(() => log.length === 1);
    await redis.restart();
    await until(() => other.add('acme', [testJob('a2'), testJob('a3')]).then(() => true));
    await until(() => log.length >= 3);
    expect(log).toEqual(['a1', 'a2', 'a3']);
    expect(await backend.queue('acme').getGlobalConcurrency()).toBe(1);
    await turns.stop(1_000);
    await redis.stop();
  });

  it('keeps to two connections however many tenants it serves', async () => {
    const redis = await startRedis();
    const backend = onRedis(redis.url, 5_000);
    await backend.start();
    for (let n = 0; n < 300; n += 1) await backend.add(`t${n}`, [testJob(`a${n}`)]);
    const seen = new Set<string>();
    const turns = new QueueTurns(backend, { concurrency: 8, tenants: async () => [], ...timing });
    turns.start(async (delivery) => {
      seen.add(delivery.tenantId);
      await delivery.complete();
    });
    await until(() => seen.size === 300);
    const clients = (await backend.queue('t1').getBackend().getClientList()).join('\n').match(/id=/g);
    expect(clients).toHaveLength(2);
    await turns.stop(1_000);
    await redis.stop();
  });
});
