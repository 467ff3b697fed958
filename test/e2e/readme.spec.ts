// The examples of README.md do what README.md says: they are taken from it as they stand, and run.
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ActionsService, ScriptsService, TenantDataSources } from 'nestjs-sandbox';
import { Client } from 'pg';
import { createDatabase } from '../support/postgres.mjs';
import { until } from '../support/processes.mjs';

const ROOT = join(__dirname, '..', '..');
// Inside the checkout, so that the example finds the packages that it imports.
const GENERATED = join(__dirname, '.generated');

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code as string);
const [moduleCode, useCode] = blocks as [string, string];
const testerCode = blocks.find((code) => code.includes('ScriptTester.create')) as string;

const server = process.env.TEST_DATABASE_URL as string;
const prefix = `readme_${randomUUID().slice(0, 8)}`;
const saved = { ...process.env };
let app: INestApplicationContext | undefined;

interface Example {
  AppModule: Type;
  Invoice: Type;
  use(scripts: ScriptsService, tenants: TenantDataSources): Promise<void>;
}

async function tableFor(tenant: string): Promise<void> {
  const client = new Client({ connectionString: await createDatabase(server, `${prefix}_${tenant}`) });
  await client.connect();
  await client.query(
    'create table invoice (id uuid primary key default gen_random_uuid(), country varchar not null, net numeric not null, gross numeric)',
  );
  await client.end();
}

async function load<T>(name: string, code: string): Promise<T> {
  mkdirSync(GENERATED, { recursive: true });
  const file = join(GENERATED, `${name}.ts`);
  writeFileSync(file, code);
  return (await import(file)) as T;
}

beforeAll(() => {
  const url = new URL(server);
  url.pathname = `/${prefix}`;
  process.env.DATABASE_URL = url.href;
  process.env.REDIS_URL = process.env.TEST_REDIS_URL;
});

afterAll(async () => {
  await app?.close();
  process.env = saved;
  rmSync(GENERATED, { recursive: true, force: true });
  const client = new Client({ connectionString: server });
  await client.connect();
  for (const tenant of ['acme', 'globex'])
    await client.query(`drop database if exists "${prefix}_${tenant}" with (force)`);
  await client.end();
});

it('the module and the script of the example make a gross amount of a net one, for the tenant that has the script', async () => {
  await Promise.all(['acme', 'globex'].map(tableFor));
  // The tenants of the README are everybody's: queues of its own keep it apart from whoever else uses this Redis.
  const own = moduleCode.replace('queue: { connection:', `queue: { prefix: '${prefix}', connection:`);
  expect(own).not.toBe(moduleCode);
  const example = await load<Example>(
    'example',
    `${own}\nimport type { ScriptsService, TenantDataSources } from 'nestjs-sandbox';
    export async function use(scripts: ScriptsService, tenants: TenantDataSources) {\n${useCode}\n}`,
  );
  app = await NestFactory.createApplicationContext(example.AppModule, { logger: ['error', 'warn'] });
  const tenants = app.get(TenantDataSources);
  await example.use(app.get(ScriptsService), tenants);
  await tenants.run('globex', (database) =>
    database.getRepository(example.Invoice).save({ country: 'CH', net: '100' }),
  );
  const grossOf = (tenant: string) =>
    tenants.run(tenant, async (database) => (await database.getRepository(example.Invoice).find())[0].gross);
  expect(await until(() => grossOf('acme'), { what: 'the gross amount' })).toBe('108.10');
  expect(await grossOf('globex')).toBeNull();
  expect((await app.get(ActionsService).list('globex')).items).toEqual([]);
}, 60_000);

it('the example of testing a script has the outcome and the writes that it says', async () => {
  const [importLine] = /^import .*$/m.exec(testerCode) as RegExpExecArray;
  const { example } = await load<{ example: () => Promise<{ outcome: string; writes: unknown[] }> }>(
    'tester',
    `${importLine}\nexport async function example() {\n${testerCode.replace(importLine, '')}\nreturn { outcome, writes }; }`,
  );
  expect(await example()).toEqual({
    outcome: 'ok',
    writes: [{ op: 'update', entity: 'customer', id: 'ana', values: { vip: true } }],
  });
}, 30_000);
