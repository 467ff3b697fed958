// What reading and writing through the library costs beside TypeORM and pg: a script's query on the host's side of the
// bridge (`query-vs-find`), an update by query builder of an entity that a script listens to (`update-with-images`: with
// before and after image and the action row, in a transaction; the rival's is a statement of its own), and tenants that
// were idle (`cold-tenants-1000`). Operations take turns; figures are medians. There is no `trigger-capture`: capture by
// triggers in the database is not built.
import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  databasePerTenant,
  DEFAULT_LIMITS,
  SandboxModule,
  ScriptAccess,
  ScriptsService,
  ScriptTrigger,
  TENANCY,
} from 'nestjs-sandbox';
import { Column, DataSource, Entity, MoreThanOrEqual, PrimaryColumn } from 'typeorm';
import { BridgeSession } from '../libs/sandbox/dist/esm/processor/bridge/bridge-session.js';
import { RunEffects } from '../libs/sandbox/dist/esm/processor/effects/run-effects.js';
import { startServers } from './pipeline/servers.mjs';
import { measureColdTenants } from './query/cold-tenants.mjs';

const ROWS = 2_000;
const WARM_UP_BLOCKS = 10;
const BLOCKS = 60;
const BLOCK = 20;

/** An entity by hand, for there is no TypeScript here. */
function entity(name, table) {
  const type = { [name]: class {} }[name];
  PrimaryColumn('int')(type.prototype, 'id');
  Column('text')(type.prototype, 'name');
  Column('numeric', { precision: 12, scale: 2 })(type.prototype, 'amount');
  Entity(table)(type);
  return type;
}

/** The same tables for both sides; only one of each pair is known to the library. */
const Order = entity('Order', 'orders');
const Stock = entity('Stock', 'stock');
const Plain = entity('Plain', 'orders');
const PlainStock = entity('PlainStock', 'plain_stock');
ScriptAccess({ read: true })(Order);
ScriptTrigger({ on: ['create'] })(Order);
ScriptTrigger({ on: ['update'] })(Stock);
const OURS = [Order, Stock];
const THEIRS = [Plain, PlainStock];

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Medians in microseconds of the operations, which take turns in blocks in an order of chance. */
async function compare(operations) {
  const times = operations.map(() => []);
  for (let block = 0; block < WARM_UP_BLOCKS + BLOCKS; block++) {
    const first = Math.floor(Math.random() * operations.length);
    for (let k = 0; k < operations.length; k++) {
      const at = (first + k) % operations.length;
      for (let n = 0; n < BLOCK; n++) {
        const start = performance.now();
        await operations[at](1 + Math.floor(Math.random() * ROWS));
        if (block >= WARM_UP_BLOCKS) times[at].push((performance.now() - start) * 1_000);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  return times.map(median);
}

async function startApplication(url, redisUrl) {
  class Application {}
  Module({
    imports: [
      SandboxModule.forRoot({
        tenancy: databasePerTenant({
          tenants: ['bench'],
          dataSource: () => ({ type: 'postgres', url, entities: OURS }),
        }),
        queue: { connection: { url: redisUrl }, prefix: `bench${randomBytes(4).toString('hex')}` },
      }),
    ],
  })(Application);
  const app = await NestFactory.createApplicationContext(Application, { logger: false });
  const source = 'log(context.changed)';
  await app.get(ScriptsService).deploy('bench', { name: 'heard', entity: 'stock', on: ['update'], source });
  return app;
}

/** Twenty rows by a condition on two columns, in order: what a script's `context.query` and `repository.find` are asked. */
async function measureQuery(emit, lease, plain) {
  const session = () =>
    new BridgeSession({
      tenantId: 'bench',
      userId: null,
      actionId: null,
      depth: 0,
      limits: DEFAULT_LIMITS,
      effects: new RunEffects(lease, DEFAULT_LIMITS),
      services: undefined,
      dryRun: false,
      claim: async () => undefined,
      onHostFault: (method, error) => console.error(method, error),
    });
  const { signal } = new AbortController();
  const ask = async (from) => {
    const where = { amount: { gte: '10' }, id: { gte: from } };
    const query = { entity: 'order', where, orderBy: 'id', limit: 20 };
    const reply = await session().onCall({ method: 'query', args: [query], deferred: [] }, () => signal);
    if (!reply.ok) throw new Error(reply.error.message);
    return reply.value;
  };
  const repository = plain.getRepository(Plain);
  const find = (from) =>
    repository.find({
      where: { amount: MoreThanOrEqual('10'), id: MoreThanOrEqual(from) },
      order: { id: 'ASC' },
      take: 20,
    });
  if (JSON.stringify(await ask(7)) !== JSON.stringify(await find(7))) throw new Error('the answers differ');
  const [value, rivalValue] = await compare([ask, find]);
  emit({
    name: 'query',
    metric: 'query-vs-find',
    value,
    unit: 'µs',
    rival: 'repository.find() of the same',
    rivalValue,
  });
}

async function measureUpdate(emit, ours, plain) {
  const update = (dataSource, type) => async (id) => {
    const builder = dataSource
      .createQueryBuilder()
      .update(type)
      .set({ amount: () => 'amount + 1' });
    const { affected } = await builder.where('id = :id', { id }).execute();
    if (affected !== 1) throw new Error(`${affected} rows were updated`);
  };
  const [value, rivalValue] = await compare([update(ours, Stock), update(plain, PlainStock)]);
  const rival = 'the same update without the library';
  emit({ name: 'query', metric: 'update-with-images', value, unit: 'µs', rival, rivalValue });
}

async function createRows(url) {
  const plain = await new DataSource({ type: 'postgres', url, entities: THEIRS, synchronize: true }).initialize();
  await plain.query('create table stock (like plain_stock including all)');
  for (const table of ['orders', 'stock', 'plain_stock']) {
    await plain.query(
      `insert into ${table} select n, 'number ' || n, n % 100 from generate_series(1, ${ROWS + 100}) as numbers (n)`,
    );
    await plain.query(`analyze ${table}`);
  }
  return plain;
}

/** Emits `{ name, metric, value, unit, rival, rivalValue }` per metric. */
export async function run(emit) {
  const servers = await startServers();
  try {
    const url = await servers.createDatabase('query');
    const plain = await createRows(url);
    const app = await startApplication(url, servers.redisUrl);
    const lease = await app.get(TENANCY, { strict: false }).lease('bench');
    try {
      await measureQuery(emit, lease, plain);
      await measureUpdate(emit, lease.dataSource, plain);
    } finally {
      lease.release();
      await app.close();
      await plain.destroy();
    }
    const cold = { url: await servers.createDatabase('cold'), redisUrl: servers.redisUrl, entities: [Order] };
    const rival = 'a pg connection and a query for each tenant';
    emit({
      name: 'query',
      metric: 'cold-tenants-1000',
      unit: 'ms a tenant',
      rival,
      ...(await measureColdTenants(cold)),
    });
  } finally {
    await servers.stop();
  }
}
