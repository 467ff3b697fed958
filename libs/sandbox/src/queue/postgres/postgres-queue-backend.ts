import { PostgresConnection, PostgresQueueBackend, Queue, type IQueueBackend, type PgPoolConfig } from 'bullmq';
import type { Pool, PoolConfig } from 'pg';
import { InvalidQueueOptionError, QueueUnavailableError } from '../../errors/queue.errors.js';
import type { ActionJob } from '../../protocol/job.js';
import { guardPool } from '../../tenancy/guard-pool.js';
import { assertTenantId } from '../../tenancy/tenant-id.js';
import { MAX_LEN_EVENTS, MAX_STALLED_COUNT, resolveTiming, type QueueTiming } from '../defaults.js';
import { jobEntry } from '../job-entry.js';
import { Lru } from '../lru.js';
import type { NewJob, QueueBackend } from '../queue-backend.js';
import { signalsOf } from '../signals-of.js';
import { within } from '../within.js';
import { OrderedPostgresQueue, type BackendOptions } from './ordered-postgres-queue.js';
import { PostgresDeployments } from './postgres-deployments.js';
import { PostgresRing } from './postgres-ring.js';
import { RING_SCHEMA } from './ring-schema.js';

/** What `createPostgresQueueBackend` takes. */
export interface PostgresQueueBackendOptions extends Partial<QueueTiming> {
  /** A connection string, or `pg` pool options. `max` is 8 where it is left out; one more connection listens. */
  readonly connection: string | PoolConfig;
  /** PostgreSQL schema of the queue tables, made at start. Default `sandbox_queue`. */
  readonly prefix?: string;
}

/** Tenants whose BullMQ handle stays in memory. */
const TENANTS_KEPT = 4_096;
/** `Queue` objects that stay in memory. */
const QUEUES_KEPT = 100;
/** Connections of the pool. */
const POOL_SIZE = 8;
/** Milliseconds without an answer after which a connection is given up: its other end may be gone without a word. */
const QUERY_WITHIN_MS = 15_000;
/** Milliseconds that `close` waits for queries under way. */
const CLOSE_MS = 2_000;

const KNOWN = `select id from job where queue = $1 and id = any($2::text[]) and state in ('waiting', 'delayed', 'active')`;

const WITH_WORK = `
select t from unnest($1::text[]) as u (t)
 where exists (select 1 from job where queue = t and state = 'waiting')
    or exists (select 1 from job where queue = t and state = 'active')
    or exists (select 1 from job where queue = t and state = 'delayed')`;

interface Tenant {
  readonly backend: OrderedPostgresQueue;
  /** Whether this process has set how many events the queue keeps. */
  prepared: boolean;
}

interface Parts {
  readonly connection: PostgresConnection;
  readonly root: PostgresQueueBackend;
  readonly ring: PostgresRing;
  readonly deployments: PostgresDeployments;
}

/**
 * Per-tenant BullMQ queues on PostgreSQL: tenant `acme` is the BullMQ queue `acme` in the schema `prefix`, over one pool
 * and one listening connection a process.
 *
 * The queue's connections commit without waiting for the disk (`synchronous_commit = off`), because the queue only
 * carries actions: what a crash of the server takes back is added again by the relay, or delivered again and found done.
 */
export function createPostgresQueueBackend(options: PostgresQueueBackendOptions): QueueBackend {
  const schema = options.prefix ?? 'sandbox_queue';
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,44}$/.test(schema))
    throw new InvalidQueueOptionError('queue.prefix', schema, 'use up to 45 letters, digits and "_", as for a schema');
  return new TenantQueuesOnPostgres(poolConfig(options.connection, schema), schema, resolveTiming(options));
}

function poolConfig(connection: string | PoolConfig, schema: string): PgPoolConfig {
  const config: PoolConfig = typeof connection === 'string' ? { connectionString: connection } : connection;
  const options = ['-c synchronous_commit=off', config.options].filter(Boolean).join(' ');
  return {
    max: POOL_SIZE,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    query_timeout: QUERY_WITHIN_MS,
    ...config,
    options,
    schema,
    migrate: true,
  } as PgPoolConfig;
}

class TenantQueuesOnPostgres implements QueueBackend {
  readonly kind = 'postgres';
  readonly generation = 0;
  private parts: Parts | undefined;
  private readonly tenants = new Lru<Tenant>(TENANTS_KEPT);
  private readonly queues = new Lru<Queue<ActionJob>>(QUEUES_KEPT, (queue) => void queue.close().catch(() => {}));

  constructor(
    private readonly config: PgPoolConfig,
    private readonly schema: string,
    private readonly timing: QueueTiming,
  ) {}

  async start(): Promise<void> {
    if (this.parts) return;
    const connection = new PostgresConnection(this.config);
    connection.on('error', () => {});
    guardPool(connection.pool as unknown as Pool);
    const root = new PostgresQueueBackend(connection, 'root', this.backendOptions());
    root.on('error', () => {});
    try {
      await this.bounded('connect', () => this.prepare(connection, root));
    } catch (error) {
      void root.close().catch(() => {});
      throw error;
    }
    const ring = new PostgresRing(connection, `sandbox_ring_${this.schema}`, this.timing.checkMs);
    this.parts = { connection, root, ring, deployments: new PostgresDeployments(connection.pool) };
  }

  get ring(): PostgresRing {
    return this.started().ring;
  }

  get deployments(): PostgresDeployments {
    return this.started().deployments;
  }

  async add(tenantId: string, jobs: readonly NewJob[]): Promise<void> {
    const tenant = this.tenant(tenantId);
    if (jobs.length === 0) return;
    await this.bounded('add jobs', () => this.addNow(tenantId, tenant, jobs));
  }

  async known(tenantId: string, actionIds: readonly string[]): Promise<ReadonlySet<string>> {
    const { pool } = this.started().connection;
    const values = [assertTenantId(tenantId), actionIds];
    const { rows } = await this.bounded('look jobs up', () => pool.query<{ id: string }>(KNOWN, values));
    return new Set(rows.map(({ id }) => id));
  }

  async withWork(tenantIds: readonly string[]): Promise<readonly string[]> {
    const { rows } = await this.started().connection.pool.query<{ t: string }>(WITH_WORK, [tenantIds]);
    return rows.map(({ t }) => t);
  }

  async remove(tenantId: string, actionIds: readonly string[]): Promise<void> {
    const { backend } = this.tenant(tenantId);
    await this.bounded('remove jobs', async () => {
      for (const id of actionIds) await backend.remove(id, false);
    });
  }

  forTenant(tenantId: string): IQueueBackend {
    return this.tenant(tenantId).backend;
  }

  queue(tenantId: string): Queue<ActionJob> {
    const { connection, root } = this.started();
    return this.queues.get(assertTenantId(tenantId), () => {
      const options = { connection: connection.pool, streams: { events: { maxLen: MAX_LEN_EVENTS } } };
      const queue = new Queue(tenantId, options as never, () => root.forQueue(tenantId) as never);
      return queue.on('error', () => {}) as unknown as Queue<ActionJob>;
    });
  }

  async close(): Promise<void> {
    const { parts } = this;
    if (!parts) return;
    parts.ring.close();
    this.queues.clear();
    await within(parts.root.close(), CLOSE_MS, () => this.unavailable('close', CLOSE_MS)).catch(() => {});
  }

  private async prepare(connection: PostgresConnection, root: PostgresQueueBackend): Promise<void> {
    await root.waitUntilReady();
    await connection.pool.query(RING_SCHEMA);
  }

  private async addNow(tenantId: string, tenant: Tenant, jobs: readonly NewJob[]): Promise<void> {
    const now = Date.now();
    if (!tenant.prepared) await tenant.backend.setQueueMeta({ 'opts.maxLenEvents': MAX_LEN_EVENTS });
    tenant.prepared = true;
    const entries = jobs.map((job) => jobEntry(job, now));
    const [first] = entries;
    // BullMQ's bulk insert makes two temporary tables: for one job its plain insert is several times cheaper.
    if (entries.length === 1 && first) await tenant.backend.addJob(first.job, first.jobId);
    else await tenant.backend.addJobs(entries);
    const signals = signalsOf(jobs, now);
    if (signals.now) await this.ring.signal([tenantId]);
    if (signals.at !== undefined) await this.ring.signalAt(tenantId, signals.at);
  }

  private tenant(tenantId: string): Tenant {
    const { connection } = this.started();
    return this.tenants.get(assertTenantId(tenantId), () => ({
      backend: new OrderedPostgresQueue(connection, tenantId, this.backendOptions(), connection.pool),
      prepared: false,
    }));
  }

  /** What a Worker would set: it reaches the functions that lock and recover jobs. */
  private backendOptions(): BackendOptions {
    const { lockMs, checkMs } = this.timing;
    const options = { lockDuration: lockMs, stalledInterval: checkMs * 0.8, maxStalledCount: MAX_STALLED_COUNT };
    return { connection: this.config, ...options } as BackendOptions;
  }

  private started(): Parts {
    if (!this.parts) throw this.unavailable('be used: it has not started', 0);
    return this.parts;
  }

  private unavailable(what: string, waitedMs: number, cause?: unknown): QueueUnavailableError {
    return new QueueUnavailableError('postgres', what, waitedMs, cause);
  }

  private async bounded<T>(what: string, run: () => Promise<T>): Promise<T> {
    const { addTimeoutMs } = this.timing;
    try {
      return await within(run(), addTimeoutMs, () => this.unavailable(what, addTimeoutMs));
    } catch (error) {
      throw isConnectionFault(error) ? this.unavailable(what, addTimeoutMs, error) : error;
    }
  }
}

/** SQLSTATE classes 08 (connection) and 57P (the server goes down or comes up), and what Node and pg say themselves. */
function isConnectionFault(error: unknown): boolean {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  if (/^(08|57P|53300)/.test(code) || /^(ECONN|EPIPE|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH)/.test(code)) return true;
  return /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error/.test(
    message,
  );
}
