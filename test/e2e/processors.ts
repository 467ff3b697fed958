// Two processors that share a queue and a tenant, in one process, and a host service that sees which runs overlap.
import { randomBytes } from 'node:crypto';
import { MailerModule } from '@nestjs-modules/mailer';
import { type INestApplicationContext, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  BridgeMethod,
  BridgeService,
  databasePerTenant,
  type QueueOptions,
  SandboxModule,
  type SandboxModuleOptions,
  ScriptsService,
  TenantDataSources,
} from 'nestjs-sandbox';
import { Client } from 'pg';
import { ensureTenantDatabase, tenantDataSourceOptions } from 'shop';
import type { DeployRequest } from '../../libs/sandbox/src/scripts/deploy-request.js';
import { SCRIPT_REGISTRY, type ScriptRegistry } from '../../libs/sandbox/src/scripts/script-registry.js';
import { TENANCY, type Tenancy } from '../../libs/sandbox/src/tenancy/tenancy.js';
import { until } from '../support/processes.mjs';

/** A run, as `Probe` saw it; `from` and `to` count what happened in this process. */
export interface Seen {
  readonly group: string;
  readonly label: string;
  readonly processor: number;
  readonly from: number;
  to: number;
}

/** What the two processors' runs did, in the order in which it happened. */
export class Log {
  readonly runs: Seen[] = [];
  private clock = 0;

  async run(group: string, label: string, processor: number, ms: number): Promise<void> {
    const seen = { group, label, processor, from: (this.clock += 1), to: Number.POSITIVE_INFINITY };
    this.runs.push(seen);
    await new Promise((resolve) => setTimeout(resolve, ms));
    seen.to = this.clock += 1;
  }

  /** Labels of a group's runs, in the order in which they began. */
  labels(group: string): string[] {
    return this.of(group).map(({ label }) => label);
  }

  /** Most runs of these groups at once. */
  most(...groups: string[]): number {
    const runs = groups.flatMap((group) => this.of(group));
    return Math.max(0, ...runs.map(({ from }) => runs.filter((other) => other.from <= from && from < other.to).length));
  }

  /** Processors that served a group. */
  processors(group: string): number[] {
    return [...new Set(this.of(group).map(({ processor }) => processor))].sort();
  }

  of(group: string): Seen[] {
    return this.runs.filter((run) => run.group === group);
  }
}

/** Two running processors; the first one also captures. */
export interface Processors {
  readonly apps: readonly INestApplicationContext[];
  readonly tenantId: string;
  readonly log: Log;
  readonly scripts: ScriptsService;
  readonly tenants: TenantDataSources;
  sql<Row = Record<string, unknown>>(text: string): Promise<Row[]>;
  /** Deploys a script, and resolves once every process has it. */
  deploy(request: DeployRequest): Promise<void>;
  /** Resolves once no action is unfinished. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

const server = process.env.TEST_DATABASE_URL as string;

/** Where the queues live. */
export type Queues = 'redis' | 'postgres';

/** Starts them. Scripts see `context.probe.at({ group, label, ms })`. */
export async function startProcessors(
  module: Partial<SandboxModuleOptions> = {},
  queues: Queues = 'redis',
): Promise<Processors> {
  const run = randomBytes(4).toString('hex');
  const tenantId = `acme-${run}`;
  const log = new Log();
  const apps: INestApplicationContext[] = [];
  const options = { queue: queueOf(queues, run), ...module };
  for (let n = 0; n < 2; n += 1) apps.push(await startOne(tenantId, log, n, options));
  const [first] = apps as [INestApplicationContext];
  const tenants = first.get(TenantDataSources);
  const sql = <Row>(text: string) => tenants.run(tenantId, {}, (source) => source.query(text) as Promise<Row[]>);
  return {
    apps,
    tenantId,
    log,
    tenants,
    scripts: first.get(ScriptsService),
    sql,
    deploy: async (request) => {
      const { version } = await first.get(ScriptsService).deploy(tenantId, request);
      for (const app of apps) await until(async () => (await versionIn(app, tenantId, request.name)) === version);
    },
    settled: async () => {
      const open = async () => (await sql('select 1 from sandbox_action where finished_at is null')).length;
      await until(async () => (await open()) === 0, { what: 'all actions to finish', timeoutMs: 40_000 });
    },
    async close() {
      await Promise.all(apps.map((app) => app.close()));
      const client = new Client({ connectionString: server });
      await client.connect();
      await client.query(`drop database if exists "shop_${tenantId}" with (force)`);
      await client.query(`drop schema if exists "e2e_${run}" cascade`);
      await client.end();
    },
  };
}

async function versionIn(app: INestApplicationContext, tenantId: string, name: string): Promise<number | undefined> {
  await using lease = await app.get<Tenancy>(TENANCY, { strict: false }).lease(tenantId);
  const { scripts } = await app.get<ScriptRegistry>(SCRIPT_REGISTRY, { strict: false }).load(lease);
  return scripts.find((script) => script.name === name && script.enabled)?.version;
}

function queueOf(queues: Queues, run: string): QueueOptions {
  return queues === 'redis'
    ? { connection: { url: process.env.TEST_REDIS_URL as string }, prefix: `e2e-${run}` }
    : { backend: 'postgres', connection: server, prefix: `e2e_${run}` };
}

function startOne(tenantId: string, log: Log, n: number, module: Partial<SandboxModuleOptions>) {
  @Injectable()
  @BridgeService('probe')
  class Probe {
    @BridgeMethod({ pure: true })
    async at({ group, label, ms }: { group: string; label: string; ms: number }): Promise<number> {
      await log.run(group, label, n, ms);
      return 1;
    }
  }
  @Module({
    imports: [
      MailerModule.forRoot({ transport: { jsonTransport: true } }),
      SandboxModule.forRoot({
        tenancy: databasePerTenant({
          tenants: [tenantId],
          dataSource: async (id: string) => {
            await ensureTenantDatabase(server, id);
            return tenantDataSourceOptions(server, id);
          },
        }),
        ...module,
        processing: { enabled: true, threads: 4, concurrency: 8, ...module.processing },
      }),
    ],
    providers: [Probe],
  })
  class HostModule {}
  return NestFactory.createApplicationContext(HostModule, { logger: ['error', 'warn'], abortOnError: false });
}
