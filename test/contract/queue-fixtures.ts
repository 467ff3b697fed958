// Fixtures for the contracts of the queue and of the turns: a store of their own on the shared servers.
import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import pg from 'pg';
import { createPostgresQueueBackend } from '../../libs/sandbox/src/queue/postgres/postgres-queue-backend.js';
import type { QueueBackend } from '../../libs/sandbox/src/queue/queue-backend.js';
import { createRedisQueueBackend } from '../../libs/sandbox/src/queue/redis/redis-queue-backend.js';
import type { QueueBackendFixture } from '../../libs/sandbox/src/testing/queue-contract.js';

export const LOCK_MS = 600;
export const CHECK_MS = 200;
const timing = { lockMs: LOCK_MS, checkMs: CHECK_MS };

/** Changes every backend that a fixture opens: how a broken one is made. */
export type Wrap = (backend: QueueBackend) => QueueBackend;

function fixture(make: () => QueueBackend, flush: () => Promise<void>, wrap: Wrap): QueueBackendFixture {
  const open: QueueBackend[] = [];
  return {
    checkMs: CHECK_MS,
    async open() {
      const backend = make();
      open.push(backend);
      await backend.start();
      return wrap(backend);
    },
    flush,
    async dispose() {
      await Promise.all(open.map((backend) => backend.close()));
      await flush();
    },
  };
}

export async function redisFixture(wrap: Wrap = (backend) => backend): Promise<QueueBackendFixture> {
  const url = process.env['TEST_REDIS_URL'] as string;
  const prefix = `contract-${randomBytes(6).toString('hex')}`;
  const flush = async () => {
    const redis = new Redis(url);
    const keys = await redis.keys(`${prefix}:*`);
    if (keys.length > 0) await redis.del(...keys);
    redis.disconnect();
  };
  return fixture(() => createRedisQueueBackend({ connection: { url }, prefix, ...timing }), flush, wrap);
}

export async function postgresFixture(wrap: Wrap = (backend) => backend): Promise<QueueBackendFixture> {
  const url = process.env['TEST_DATABASE_URL'] as string;
  const prefix = `contract_${randomBytes(6).toString('hex')}`;
  const run = async (text: string) => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(text).finally(() => client.end());
  };
  const empty = `truncate ${prefix}.job, ${prefix}.sandbox_deployment, ${prefix}.sandbox_ring_ready, ${prefix}.sandbox_ring_delayed cascade;
    delete from ${prefix}.sandbox_queue_state; insert into ${prefix}.sandbox_queue_state default values`;
  const made = fixture(
    () => createPostgresQueueBackend({ connection: { connectionString: url, max: 4 }, prefix, ...timing }),
    () => run(empty),
    wrap,
  );
  const dispose = async () => {
    await made.dispose();
    await run(`set client_min_messages = warning; drop schema ${prefix} cascade`);
  };
  return { ...made, dispose };
}
