// The whole path: from the commit of a save to the committed effect of its script; beside a plain BullMQ worker with
// TypeORM and a native function (no sandbox, no guard), the article's way, and our own pipeline with a native function in
// its threads. Every contender is a process of its own with databases of its own; they take turns, and figures are medians
// over the rounds. CPU is that of the contender, PostgreSQL and Redis together.
import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { copyFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Queue } from 'bullmq';
import * as library from 'nestjs-sandbox';
import { DataSource } from 'typeorm';
import { until } from '../test/support/processes.mjs';
import { Contender } from './pipeline/contender.mjs';
import { createEntities, CUSTOMERS, orders, SCRIPT } from './pipeline/schema.mjs';
import { startServers } from './pipeline/servers.mjs';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
const SCALE = Number(process.env.BENCH_SCALE ?? 1);
const scaled = (count) => Math.max(40, Math.round(count * SCALE));
const BACKLOG = scaled(10_000);
const RIVAL_BACKLOG = scaled(4_000);
const ARTICLE_BACKLOG = scaled(300);
const LATENCIES = scaled(240);
const TENANTS = 20;
const IN_FLIGHT = 16;

const now = () => performance.timeOrigin + performance.now();
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];

/** A copy of the built library whose threads run scripts as native functions. */
function nativeLibrary() {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const copy = join(root, 'node_modules/.cache', `nestjs-sandbox-native-${process.pid}`);
  mkdirSync(copy, { recursive: true });
  cpSync(join(root, 'libs/sandbox/dist/esm'), join(copy, 'esm'), { recursive: true });
  writeFileSync(join(copy, 'package.json'), '{"type":"module"}');
  copyFileSync(
    fileURLToPath(new URL('./pipeline/native-engine.mjs', import.meta.url)),
    join(copy, 'esm/thread/engines/quickjs/quickjs.engine.js'),
  );
  return {
    url: pathToFileURL(join(copy, 'esm/index.js')).href,
    remove: () => rmSync(copy, { recursive: true, force: true }),
  };
}

/** Tenants with a database each, and customers in them. */
async function createTenants(servers, name, count, entities) {
  const tenants = {};
  for (let n = 0; n < count; n++) {
    const url = await servers.createDatabase(`${name}${n}`);
    tenants[`${name}${n}`] = url;
    const source = await new DataSource({
      type: 'postgres',
      url,
      entities: Object.values(entities),
      synchronize: true,
    }).initialize();
    await source.query(`insert into customer (name) select 'customer ' || n from generate_series(1, ${CUSTOMERS}) n`);
    await source.destroy();
  }
  return tenants;
}

/** Our pipeline: an application that saves orders in this process, and a processor in another. */
async function createOurs(servers, name, { tenants: count = 1, library: url = 'nestjs-sandbox', processing }) {
  const entities = createEntities(library);
  const tenants = await createTenants(servers, name, count, entities);
  const prefix = `bench${randomBytes(4).toString('hex')}`;
  const ids = Object.keys(tenants);
  class Application {}
  Module({
    imports: [
      library.SandboxModule.forRoot({
        tenancy: library.databasePerTenant({
          tenants: ids,
          dataSource: (id) => ({ type: 'postgres', url: tenants[id], entities: Object.values(entities), poolSize: 2 }),
          idleMs: 600_000,
        }),
        queue: { connection: { url: servers.redisUrl }, prefix },
        // the rival has no cap either, and what is parked would not be there to be drained
        relay: { backlog: 2 * BACKLOG },
      }),
    ],
  })(Application);
  const app = await NestFactory.createApplicationContext(Application, { logger: ['error', 'warn'] });
  for (const id of ids)
    await app
      .get(library.ScriptsService)
      .deploy(id, { name: 'total', entity: 'order', on: ['create'], source: SCRIPT });
  const config = { library: url, tenants, redisUrl: servers.redisUrl, prefix, processing, poolSize: count > 1 ? 2 : 6 };
  const contender = new Contender(name, './ours.mjs', config, servers);
  await contender.next();
  await contender.rest();
  const run = (id, work) => app.get(library.TenantDataSources).run(id, { userId: 'bench' }, work);
  return {
    contender,
    /** Saves orders, and waits until their jobs are in the queue. */
    async fill(total) {
      for (const id of ids)
        await run(id, async (source) => {
          await source.getRepository(entities.Order).save(orders(total / ids.length), { chunk: 500 });
          const open = 'select 1 from sandbox_action where queued_at is null and finished_at is null limit 1';
          await until(async () => (await source.query(open)).length === 0, { what: 'the jobs to be queued' });
        });
    },
    save: (n) =>
      run(ids[0], async (source) => {
        await source.getRepository(entities.Order).save(orders(1, n)[0]);
        return now();
      }),
    /** Every order must have had its effect exactly once. */
    async check() {
      for (const id of ids) await run(id, (source) => assertTotals(source, name));
    },
    async close() {
      await contender.close();
      await app.close();
    },
  };
}

async function assertTotals(source, name) {
  const [{ expected, found }] = await source.query(
    'select (select coalesce(sum(amount), 0) from orders) as expected, (select sum(total) from customer) as found',
  );
  if (Number(expected) !== Number(found)) throw new Error(`${name}: orders of ${expected}, totals of ${found}`);
}

async function createPlain(servers, name, { tenants: count = 1 }) {
  const entities = createEntities();
  const tenants = await createTenants(servers, name, count, entities);
  const prefix = `bench${randomBytes(4).toString('hex')}`;
  const sources = await openAll(tenants, entities);
  const { hostname: host, port } = new URL(servers.redisUrl);
  const queue = new Queue('orders', { connection: { host, port: Number(port) }, prefix });
  const config = {
    tenants,
    redisUrl: servers.redisUrl,
    prefix,
    queue: 'orders',
    concurrency: IN_FLIGHT,
    poolSize: count > 1 ? 2 : IN_FLIGHT,
  };
  const contender = new Contender(name, './plain.mjs', config, servers);
  await contender.next();
  const job = (tenantId, order) => ({
    name: 'order',
    data: { tenantId, orderId: order.id },
    opts: { removeOnComplete: true },
  });
  return {
    contender,
    async fill(total) {
      for (const [id, source] of Object.entries(sources)) {
        const saved = await source.getRepository(entities.Order).save(orders(total / count), { chunk: 500 });
        await queue.addBulk(saved.map((order) => job(id, order)));
      }
    },
    async save(n) {
      const [[id, source]] = Object.entries(sources);
      const saved = await source.getRepository(entities.Order).save(orders(1, n)[0]);
      const committedAt = now();
      const { name: jobName, data, opts } = job(id, saved);
      await queue.add(jobName, data, opts);
      return committedAt;
    },
    async check() {
      for (const source of Object.values(sources)) await assertTotals(source, name);
    },
    async close() {
      await contender.close();
      await queue.close();
      await Promise.all(Object.values(sources).map((source) => source.destroy()));
    },
  };
}

async function createArticle(servers) {
  const entities = createEntities();
  const tenants = await createTenants(servers, 'article', 1, entities);
  const [source] = Object.values(await openAll(tenants, entities));
  await source.query(
    `create table article_action (id serial primary key, record json, status text default 'new', result text)`,
  );
  const contender = new Contender('article', './article.mjs', { tenants }, servers);
  await contender.next();
  return {
    contender,
    async fill(total) {
      const saved = await source.getRepository(entities.Order).save(orders(total));
      const records = JSON.stringify(saved);
      await source.query('insert into article_action (record) select * from json_array_elements($1::json)', [records]);
    },
    check: () => assertTotals(source, 'article'),
    async close() {
      await contender.close();
      await source.destroy();
    },
  };
}

async function openAll(tenants, entities) {
  const opened = Object.entries(tenants).map(async ([id, url]) => [
    id,
    await new DataSource({ type: 'postgres', url, entities: Object.values(entities), poolSize: 2 }).initialize(),
  ]);
  return Object.fromEntries(await Promise.all(opened));
}

/** One round of each, in turn; the medians of rate and cost. */
async function compare(contenders, rounds = ROUNDS) {
  const results = contenders.map(() => []);
  for (let round = 0; round < rounds; round++)
    for (const [at, [side, backlog]] of contenders.entries()) {
      await side.fill(backlog);
      results[at].push(await side.contender.drain({ warm: Math.round(backlog * 0.4), target: backlog }));
      await side.check();
    }
  return results.map((list) => ({
    perSecond: median(list.map(({ perSecond }) => perSecond)),
    cpuUs: median(list.map(({ cpuUs }) => cpuUs)),
  }));
}

const PLAIN = 'a plain BullMQ worker, TypeORM, a native function';
const FREE = { order: 'none', concurrency: IN_FLIGHT, tenantConcurrency: IN_FLIGHT };

async function measureOneTenant(emit, servers) {
  const native = nativeLibrary();
  const sides = [];
  try {
    const ours = await createOurs(servers, 'ours', { processing: FREE });
    sides.push(ours);
    const plain = await createPlain(servers, 'plain', {});
    sides.push(plain);
    const floor = await createOurs(servers, 'native', { processing: FREE, library: native.url });
    sides.push(floor);
    const article = await createArticle(servers);
    sides.push(article);
    const [mine, its, native1, old] = await compare([
      [ours, BACKLOG],
      [plain, RIVAL_BACKLOG],
      [floor, BACKLOG],
      [article, ARTICLE_BACKLOG],
    ]);
    const drain = (metric, rival, rivalValue) =>
      emit({ name: 'pipeline', metric, value: mine.perSecond, unit: 'actions/s', rival, rivalValue });
    drain('drain-vs-plain-worker', PLAIN, its.perSecond);
    drain('drain-vs-article', 'stock js-interpreter, one thread, a polled table', old.perSecond);
    drain('drain-vs-native-in-pool', 'the same pipeline, a native function in its threads', native1.perSecond);
    emit({
      name: 'pipeline',
      metric: 'cpu-per-action-vs-plain',
      value: mine.cpuUs,
      unit: 'µs',
      rival: PLAIN,
      rivalValue: its.cpuUs,
    });
    await measureLatency(emit, ours, plain);
  } finally {
    await Promise.all(sides.map((side) => side.close()));
    native.remove();
  }
}

async function measureLatency(emit, ours, plain) {
  const times = { ours: [], plain: [] };
  for (let round = 0; round < 2; round++) {
    times.ours.push(...(await ours.contender.latencies(LATENCIES, ours.save)));
    times.plain.push(...(await plain.contender.latencies(LATENCIES, plain.save)));
  }
  for (const list of Object.values(times)) list.sort((a, b) => a - b);
  for (const [metric, q] of [
    ['effect-latency-p50-vs-plain', 0.5],
    ['effect-latency-p99-vs-plain', 0.99],
  ])
    emit({
      name: 'pipeline',
      metric,
      value: quantile(times.ours, q),
      unit: 'ms',
      rival: PLAIN,
      rivalValue: quantile(times.plain, q),
    });
}

async function measureTwentyTenants(emit, servers) {
  const ours = await createOurs(servers, 'ours20', { tenants: TENANTS, processing: { concurrency: IN_FLIGHT } });
  const plain = await createPlain(servers, 'plain20', { tenants: TENANTS });
  try {
    const [mine, its] = await compare([
      [ours, scaled(8_000)],
      [plain, RIVAL_BACKLOG],
    ]);
    emit({
      name: 'pipeline',
      metric: 'drain-20-tenants-vs-plain-worker',
      value: mine.perSecond,
      unit: 'actions/s',
      rival: PLAIN,
      rivalValue: its.perSecond,
    });
  } finally {
    await Promise.all([ours.close(), plain.close()]);
  }
}

/** Emits `{ name, metric, value, unit, rival, rivalValue }` per metric. */
export async function run(emit) {
  const servers = await startServers();
  try {
    await measureOneTenant(emit, servers);
    await measureTwentyTenants(emit, servers);
  } finally {
    await servers.stop();
  }
}
