// A tenancy with capture, outbox and dispatch on a database of its own, wired by hand: what the capture specs share.
// The queue is a list; everything else is real.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import { SandboxEvents } from '../../libs/sandbox/src/events/sandbox-events.js';
import { Capture } from '../../libs/sandbox/src/producer/capture/capture.js';
import { QueueDispatcher } from '../../libs/sandbox/src/producer/dispatch/dispatcher.js';
import { Outbox } from '../../libs/sandbox/src/producer/outbox/outbox.js';
import type { Operation } from '../../libs/sandbox/src/protocol/change.js';
import type { NewJob, QueueBackend } from '../../libs/sandbox/src/queue/queue-backend.js';
import { migrate } from '../../libs/sandbox/src/records/migrator.js';
import { resolveOptions } from '../../libs/sandbox/src/sandbox.options.resolve.js';
import type { ScriptVersion } from '../../libs/sandbox/src/scripts/script.js';
import type { ScriptRegistry, TriggerIndex } from '../../libs/sandbox/src/scripts/script-registry.js';
import { databasePerTenant } from '../../libs/sandbox/src/tenancy/database-per-tenant.js';
import { PgSqlPool } from '../../libs/sandbox/src/tenancy/pg-sql-pool.js';
import type { Tenancy, TenantLease } from '../../libs/sandbox/src/tenancy/tenancy.js';
import { Tracing } from '../../libs/sandbox/src/tracing/tracing.js';
import { createDatabase } from './postgres.mjs';

/** A queue that remembers what it was given, and can be taken away. */
export class ListedQueue {
  readonly jobs: { tenantId: string; job: NewJob }[] = [];
  down = false;
  adds = 0;

  async add(tenantId: string, jobs: readonly NewJob[]): Promise<void> {
    this.adds += 1;
    if (this.down) throw Object.assign(new Error('the queue is down'), { code: 'TEST_DOWN' });
    const have = new Set(this.jobs.map(({ job }) => job.job.actionId));
    for (const job of jobs) if (!have.has(job.job.actionId)) this.jobs.push({ tenantId, job });
  }

  async known(tenantId: string, actionIds: readonly string[]): Promise<ReadonlySet<string>> {
    if (this.down) throw Object.assign(new Error('the queue is down'), { code: 'TEST_DOWN' });
    this.asked += actionIds.length;
    const have = new Set(this.jobs.filter((entry) => entry.tenantId === tenantId).map(({ job }) => job.job.actionId));
    return new Set(actionIds.filter((id) => have.has(id)));
  }
  asked = 0;

  forTenant(tenantId: string) {
    return { getCounts: async () => [this.jobs.filter((entry) => entry.tenantId === tenantId).length] };
  }

  async remove(): Promise<void> {}

  ids(): string[] {
    return this.jobs.map(({ job }) => job.job.actionId);
  }
}

/** Scripts in force, by hand: each listens to `entity:operation`. `trusted = false` makes every write load them. */
export class ListedScripts implements ScriptRegistry {
  trusted = true;
  loads = 0;
  constructor(readonly listening: Set<string>) {}

  cached(tenantId: string): TriggerIndex | undefined {
    return this.trusted ? this.index(tenantId) : undefined;
  }

  async load(lease: TenantLease): Promise<TriggerIndex> {
    this.loads += 1;
    await lease.sql.query({ text: 'select revision from sandbox_revision' });
    return this.index(lease.tenantId);
  }

  private index(tenantId: string): TriggerIndex {
    const script = { scriptId: '01900000-0000-7000-8000-000000000001', name: 'listener', version: 1 } as ScriptVersion;
    const heard = (entity: string, operation: Operation) => this.listening.has(`${entity}:${operation}`);
    return {
      tenantId,
      revision: 1,
      changedAt: 0,
      scripts: [script],
      listens: (entity, operation) =>
        operation
          ? heard(entity, operation)
          : (['create', 'update', 'delete'] as const).some((op) => heard(entity, op)),
      match: ({ entity, operation }) => (heard(entity, operation) ? [script] : []),
      script: () => script,
    };
  }
}

/** A row of sandbox_action, as far as the specs look at it. */
export interface ActionRow {
  id: string;
  entity: string;
  operation: Operation;
  record_id: string;
  change: { record: Record<string, unknown>; prevRecord: Record<string, unknown>; changed: string[] };
  user_id: string | null;
  origin: string;
  depth: number;
  parent_id: string | null;
  status: string;
  outcome: string | null;
  queued_at: Date | null;
}

export interface Fixture {
  readonly tenancy: Tenancy;
  readonly dataSource: DataSource;
  readonly lease: TenantLease;
  readonly queue: ListedQueue;
  readonly scripts: ListedScripts;
  readonly events: SandboxEvents;
  readonly dispatcher: QueueDispatcher;
  readonly capture: Capture;
  readonly url: string;
  actions(): Promise<ActionRow[]>;
  /** Forgets every action so far, in the table and in the queue. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** Makes the library's tables, and leaves no connection open. */
async function migrateClosed(url: string): Promise<void> {
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  await migrate(new PgSqlPool(pool));
  await pool.end();
}

/** Opens tenant `acme` with these entities; `before` sees the DataSource before capture does. */
export async function openFixture(
  entities: Function[],
  listening: Iterable<string>,
  { before, poolSize = 4 }: { before?: (dataSource: DataSource) => void; poolSize?: number } = {},
): Promise<Fixture> {
  const server = process.env['TEST_DATABASE_URL'] as string;
  const url = await createDatabase(server, `capture_${randomBytes(6).toString('hex')}`);
  const empty = await createDatabase(server, `capture_${randomBytes(6).toString('hex')}`);
  await migrateClosed(empty);
  const tenancy = databasePerTenant({
    tenants: ['acme', 'globex'],
    dataSource: (tenantId) => ({
      type: 'postgres',
      url: tenantId === 'globex' ? empty : url,
      entities,
      synchronize: true,
      poolSize,
    }),
  });
  const options = resolveOptions({ tenancy });
  const queue = new ListedQueue();
  const backend = queue as unknown as QueueBackend;
  const scripts = new ListedScripts(new Set(listening));
  const events = new SandboxEvents();
  const dispatcher = new QueueDispatcher(backend, tenancy, events, options);
  const capture = new Capture(tenancy, scripts, new Outbox(options, dispatcher, events, new Tracing(options)), events);
  tenancy.onOpen(async ({ sql, dataSource }) => {
    await migrate(sql);
    before?.(dataSource);
    capture.attach(dataSource);
  });
  const lease = await tenancy.lease('acme');
  return {
    tenancy,
    dataSource: lease.dataSource,
    lease,
    queue,
    scripts,
    events,
    dispatcher,
    capture,
    url,
    async actions() {
      return (await lease.sql.query<ActionRow>({ text: 'select * from sandbox_action order by seq' })).rows;
    },
    async reset() {
      await dispatcher.idle();
      await lease.sql.query({ text: 'delete from sandbox_action' });
      queue.jobs.length = 0;
    },
    async close() {
      await dispatcher.idle();
      lease.release();
      await tenancy.close(1_000);
    },
  };
}
