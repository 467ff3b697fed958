// 1,000 tenants, none of which was used before, each get one action served: their database is opened, its scripts are
// read, the script reads a row, and what it did is committed. Making 1,000 databases would take minutes and gigabytes, so
// each tenant has a schema in one database, which its connections have as search_path: to the library a database like any
// other. Databases kept open are limited to 50, as 200 (the default) are more than a PostgreSQL of 300 connections takes.
import { randomBytes, randomUUID } from 'node:crypto';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { databasePerTenant, SandboxEvents, SandboxModule, ScriptsService } from 'nestjs-sandbox';
import pg from 'pg';
import { MIGRATIONS } from '../../libs/sandbox/dist/esm/records/schema.js';

const TENANTS = 1_000;
const ROUNDS = 5;
/** Tenants at work at the same time, on both sides. */
const IN_FLIGHT = 8;
const KEPT_OPEN = 50;
const QUEUE_BACKEND = Symbol.for('nestjs-sandbox:queue-backend');

const SOURCE = "setResult(context.query({ entity: 'order', where: { id: context.record.id } })[0].amount)";
const RECORD = { id: 1, name: 'first', amount: '1.25' };

const schemaOf = (tenantId) => ({ options: `-c search_path=${tenantId}` });
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** A tenant's tables, as the library and the host would have made them; `sample` has the script already. */
function createTenant(client, tenantId, sample) {
  const copies = ['sandbox_script', 'sandbox_script_version'].map(
    (table) => `insert into ${table} select * from ${sample}.${table}`,
  );
  const migrations = MIGRATIONS.map(({ id, name }) => `(${id}, '${name}')`).join(', ');
  return client.query(`begin; create schema ${tenantId}; set local search_path to ${tenantId};
create table sandbox_migration (id integer primary key, name text not null, applied_at timestamptz not null default now());
insert into sandbox_migration (id, name) values ${migrations};
${MIGRATIONS.map(({ sql }) => sql).join(';\n')};
create table orders (id integer primary key, name text not null, amount numeric(12, 2) not null);
insert into orders values (${RECORD.id}, '${RECORD.name}', ${RECORD.amount});
${sample ? `${copies.join('; ')}; update sandbox_revision set revision = 1;` : ''}
commit`);
}

/** Writes an action as an application would have; returns its job. */
async function createAction(client, tenantId, script) {
  const actionId = randomUUID();
  const image = { record: RECORD, prevRecord: {}, changed: Object.keys(RECORD) };
  await client.query(
    `insert into ${tenantId}.sandbox_action (id, script_id, script_name, script_version, entity, operation, record_id, change)
     values ($1, $2, 'cold', 1, 'order', 'create', '1', $3)`,
    [actionId, script, JSON.stringify(image)],
  );
  const change = { entity: 'order', operation: 'create', recordId: '1', ...image };
  return { actionId, scriptId: script, scriptVersion: 1, userId: null, depth: 0, createdAt: Date.now(), change };
}

async function startApplication(url, redisUrl, tenants, entities) {
  class Application {}
  Module({
    imports: [
      SandboxModule.forRoot({
        tenancy: databasePerTenant({
          tenants,
          dataSource: (tenantId) => ({ type: 'postgres', url, entities, poolSize: 2, extra: schemaOf(tenantId) }),
          maxIdle: KEPT_OPEN,
        }),
        queue: { connection: { url: redisUrl }, prefix: `bench${randomBytes(4).toString('hex')}` },
        processing: { enabled: true, concurrency: IN_FLIGHT },
        // It would look for the actions in the rows, too, and they are added to the queue here.
        relay: { intervalMs: 3_600_000 },
      }),
    ],
  })(Application);
  return NestFactory.createApplicationContext(Application, { logger: false });
}

/** Milliseconds from the first job to the last finished action. */
async function serve(app, jobs) {
  const events = app.get(SandboxEvents, { strict: false });
  const backend = app.get(QUEUE_BACKEND, { strict: false });
  let left = jobs.length;
  const served = new Promise((resolve, reject) => {
    events.on('action.finished', ({ outcome }) => {
      if (outcome !== 'ok') reject(new Error(`a run ended with ${outcome}`));
      else if (--left === 0) resolve();
    });
  });
  const start = performance.now();
  for (const [tenantId, job] of jobs) await backend.add(tenantId, [{ job }]);
  await served;
  return performance.now() - start;
}

/** The least that a program of its own would do: a connection and a query for each tenant. */
async function connectToEach(url, tenants) {
  const left = [...tenants];
  const start = performance.now();
  const one = async () => {
    for (let tenantId = left.pop(); tenantId; tenantId = left.pop()) {
      const client = new pg.Client({ connectionString: url, ...schemaOf(tenantId) });
      await client.connect();
      await client.query('select * from orders where id = $1', [RECORD.id]);
      await client.end();
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
  return performance.now() - start;
}

/** Milliseconds for each tenant: `{ value, rivalValue }`. `entities` hold `orders` as `order`, which scripts may read. */
export async function measureColdTenants({ url, redisUrl, entities }) {
  const [sample, ...tenants] = Array.from({ length: TENANTS + 1 }, (_, n) => `t${n}`);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await createTenant(client, sample);
  const app = await startApplication(url, redisUrl, [sample, ...tenants], entities);
  try {
    await app.get(ScriptsService).deploy(sample, { name: 'cold', entity: 'order', on: ['create'], source: SOURCE });
    const script = (await client.query(`select id from ${sample}.sandbox_script`)).rows[0].id;
    await serve(app, [[sample, await createAction(client, sample, script)]]);
    const jobs = [];
    for (const tenantId of tenants) {
      await createTenant(client, tenantId, sample);
      jobs.push([tenantId, await createAction(client, tenantId, script)]);
    }
    const times = { ours: [], plain: [] };
    for (let round = 0, size = TENANTS / ROUNDS; round < ROUNDS; round++) {
      const some = jobs.slice(round * size, (round + 1) * size);
      times.ours.push((await serve(app, some)) / size);
      times.plain.push(
        (await connectToEach(
          url,
          some.map(([tenantId]) => tenantId),
        )) / size,
      );
    }
    return { value: median(times.ours), rivalValue: median(times.plain) };
  } finally {
    await app.close();
    await client.end();
  }
}
