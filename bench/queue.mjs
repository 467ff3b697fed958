// The turns beside BullMQ's own Worker: what fairness and ten thousand tenants cost.
// Every measurement runs in processes of its own (the jobs are added by one, served by another) on a Redis of its own;
// ours and the rival take turns within a round, and the median of the rounds is reported. Jobs do nothing, so the
// figures bound the queue alone. docs/adr/0008 says what the profile showed, and the floor with two jobs a tenant.
// `node bench/queue.mjs <role> <json>` is one such process.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { QueueTurns } from '../libs/sandbox/dist/esm/processor/turns/queue-turns.js';
import { createRedisQueueBackend } from '../libs/sandbox/dist/esm/queue/redis/redis-queue-backend.js';
import { startRedis } from '../test/support/redis.mjs';

const SELF = fileURLToPath(import.meta.url);
const SLOTS = 64;
const ROUNDS = 3;
const RAW = { prefix: 'raw' };

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const now = () => performance.timeOrigin + performance.now();
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const percentile = (values, p) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * p))];
const rss = () => process.memoryUsage().rss / 2 ** 20;
const tenantsOf = (count) => Array.from({ length: count }, (_, n) => `t${n}`);
const job = (actionId) => ({
  job: { actionId, scriptId: 's', scriptVersion: 1, userId: null, depth: 0, createdAt: now() },
});
const jobsOf = (count, prefix) => Array.from({ length: count }, (_, n) => job(`${prefix}-${n}`));

async function openBackend(url) {
  const backend = createRedisQueueBackend({ connection: { url }, prefix: 'ours' });
  await backend.start();
  return backend;
}

function turnsOver(backend, options) {
  return new QueueTurns(backend, { concurrency: SLOTS, ...options });
}

/** Adds jobs for the turns: `perTenant` to each of `tenants`. */
async function produceTurns({ url, tenants, perTenant, prefix = 'a' }) {
  const backend = await openBackend(url);
  const ids = tenantsOf(tenants);
  const chunk = Math.min(perTenant, 500);
  const sideBySide = Math.max(1, Math.floor(2_000 / chunk));
  for (let from = 0; from < perTenant; from += chunk)
    for (let n = 0; n < ids.length; n += sideBySide)
      await Promise.all(ids.slice(n, n + sideBySide).map((id) => backend.add(id, jobsOf(chunk, `${prefix}${from}`))));
  await backend.close();
}

async function produceRaw({ url, jobs }) {
  const queue = new Queue('raw', { connection: { url }, ...RAW });
  for (let n = 0; n < jobs; n += 1_000) {
    const data = { removeOnComplete: true, removeOnFail: true };
    await queue.addBulk(jobsOf(1_000, `r${n}`).map((each) => ({ name: 'action', data: each.job, opts: data })));
  }
  await queue.close();
}

/** Serves everything that waits; resolves to jobs per second. */
async function serveTurns({ url, jobs }) {
  const backend = await openBackend(url);
  const turns = turnsOver(backend, { tenants: async () => [] });
  let left = jobs;
  const began = now();
  await new Promise((resolve) =>
    turns.start(async (delivery) => {
      await delivery.complete();
      if ((left -= 1) === 0) resolve();
    }),
  );
  const perSecond = (jobs * 1_000) / (now() - began);
  await turns.stop(1_000);
  await backend.close();
  return perSecond;
}

async function serveRaw({ url, jobs }) {
  const options = { connection: { url, maxRetriesPerRequest: null }, ...RAW, concurrency: SLOTS, autorun: false };
  const worker = new Worker('raw', async () => undefined, options);
  await worker.waitUntilReady();
  let left = jobs;
  const began = now();
  await new Promise((resolve) => {
    worker.on('completed', () => (left -= 1) === 0 && resolve());
    void worker.run();
  });
  const perSecond = (jobs * 1_000) / (now() - began);
  await worker.close();
  return perSecond;
}

/** What ten thousand tenants cost a process that serves them and then has nothing to do. */
async function serveMany({ url, tenants, jobs }) {
  const admin = new Redis(url);
  await admin.ping();
  globalThis.gc?.();
  const before = rss();
  const backend = await openBackend(url);
  const ids = tenantsOf(tenants);
  const turns = turnsOver(backend, { tenants: async () => ids });
  let left = jobs;
  await new Promise((resolve) =>
    turns.start(async (delivery) => (await delivery.complete(), (left -= 1) === 0 && resolve())),
  );
  // Every tenant comes back once after it was served; then there is nothing but the sweep.
  await sleep(13_000);
  globalThis.gc?.();
  const growth = rss() - before;
  const clients =
    String(await admin.client('LIST'))
      .trim()
      .split('\n').length - 1;
  const commands = async () => Number(/total_commands_processed:(\d+)/.exec(await admin.info('stats'))[1]);
  const from = await commands();
  await sleep(10_000);
  const idle = ((await commands()) - from - 1) / 10;
  await turns.stop(1_000);
  await backend.close();
  admin.disconnect();
  return { growth, clients, idle };
}

/** Serves floods and a quiet tenant; resolves, once told to stop, to how long the quiet tenant's jobs waited, in ms. */
async function serveQuiet({ url, perTenant }) {
  const backend = await openBackend(url);
  const turns = turnsOver(backend, { tenantConcurrency: () => perTenant, tenants: async () => [] });
  const waits = [];
  turns.start(async (delivery) => {
    if (delivery.tenantId === 'quiet') waits.push(now() - delivery.job.createdAt);
    await sleep(2);
    await delivery.complete();
  });
  process.send({ ready: true });
  await once(process, 'message');
  await turns.stop(1_000);
  await backend.close();
  return waits;
}

async function produceQuiet({ url, probes, everyMs }) {
  const backend = await openBackend(url);
  for (let n = 0; n < probes; n += 1) {
    await backend.add('quiet', [job(`q${n}-${process.pid}`)]);
    await sleep(everyMs);
  }
  await backend.close();
}

const ROLES = { produceTurns, produceRaw, serveTurns, serveRaw, serveMany, serveQuiet, produceQuiet };

/** Runs a role in a process of its own; resolves to what it answers. */
async function inProcess(role, options, onReady = () => {}) {
  const child = fork(SELF, [role, JSON.stringify(options)], { execArgv: ['--expose-gc', '--no-warnings'] });
  let answer;
  child.on('message', (message) => (message.ready ? onReady(child) : (answer = message.answer)));
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`bench/queue.mjs ${role} ended with ${code}`);
  return answer;
}

async function withRedis(measure) {
  const redis = await startRedis();
  try {
    return await measure(redis.url);
  } finally {
    await redis.stop();
  }
}

async function throughput(emit, tenants, perTenant) {
  const jobs = tenants * perTenant;
  const ours = [];
  const raw = [];
  const oneRaw = (url) => inProcess('produceRaw', { url, jobs }).then(() => inProcess('serveRaw', { url, jobs }));
  for (let round = 0; round < ROUNDS; round += 1)
    await withRedis(async (url) => {
      raw.push(await oneRaw(url));
      await inProcess('produceTurns', { url, tenants, perTenant });
      ours.push(await inProcess('serveTurns', { url, jobs }));
    });
  emit({
    metric: `turns-${tenants}x${perTenant}-vs-raw`,
    value: median(ours),
    unit: 'jobs/s',
    rival: `BullMQ Worker, ${SLOTS} slots, one queue`,
    rivalValue: median(raw),
  });
}

async function many(emit) {
  const [tenants, perTenant] = [10_000, 1];
  await withRedis(async (url) => {
    await inProcess('produceTurns', { url, tenants, perTenant });
    const { growth, clients, idle } = await inProcess('serveMany', { url, tenants, jobs: tenants * perTenant });
    emit({ metric: 'connections-10000', value: clients, unit: '' });
    emit({ metric: 'rss-growth-10000', value: growth, unit: 'MB' });
    emit({ metric: 'idle-commands-10000', value: idle, unit: 'per s' });
  });
}

/** p99 of a quiet tenant's wait, with `flooders` tenants that have more than can be served meanwhile. */
async function quietP99(url, flooders, probes) {
  if (flooders > 0)
    await inProcess('produceTurns', { url, tenants: flooders, perTenant: 60_000 / flooders, prefix: 'f' });
  const waits = await inProcess('serveQuiet', { url, perTenant: 16 }, (child) => {
    void sleep(300)
      .then(() => inProcess('produceQuiet', { url, probes, everyMs: 5 }))
      .then(() => sleep(200))
      .then(() => child.send('stop'));
  });
  return percentile(waits, 0.99);
}

async function quiet(emit, flooders) {
  const probes = 300;
  const flooded = [];
  const alone = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    alone.push(await withRedis((url) => quietP99(url, 0, probes)));
    flooded.push(await withRedis((url) => quietP99(url, flooders, probes)));
  }
  emit({
    metric: `quiet-p99-${flooders}-flooder${flooders > 1 ? 's' : ''}`,
    value: median(flooded),
    unit: 'ms',
    rival: 'the same tenant alone',
    rivalValue: median(alone),
  });
}

/** Runs the benchmark; `emit` takes one result at a time. */
export async function run(emit) {
  await throughput(emit, 1_000, 20);
  await throughput(emit, 10_000, 2);
  await many(emit);
  await quiet(emit, 1);
  await quiet(emit, 20);
}

if (process.argv[1] === SELF) {
  const [, , role, options] = process.argv;
  const answer = await ROLES[role](JSON.parse(options));
  process.send?.({ answer, cpu: process.cpuUsage() });
  process.disconnect?.();
}
