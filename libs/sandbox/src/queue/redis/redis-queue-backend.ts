import { createRedisBackend, Queue, type IQueueBackend, type RedisQueueBackend } from 'bullmq';
import type { Redis } from 'ioredis';
import { InvalidQueueOptionError, QueueUnavailableError } from '../../errors/queue.errors.js';
import type { ActionJob } from '../../protocol/job.js';
import { assertTenantId } from '../../tenancy/tenant-id.js';
import { MAX_LEN_EVENTS, MAX_STALLED_COUNT, resolveTiming, type QueueTiming } from '../defaults.js';
import { jobEntry } from '../job-entry.js';
import { Lru } from '../lru.js';
import type { NewJob, QueueBackend } from '../queue-backend.js';
import { signalsOf } from '../signals-of.js';
import { within } from '../within.js';
import { openRedis, type RedisConnectionOption } from './redis-connections.js';
import { RedisDeployments } from './redis-deployments.js';
import { RedisRing } from './redis-ring.js';
import { withSandboxCommands, type SandboxRedis } from './scripts.js';

/** What `createRedisQueueBackend` takes. */
export interface RedisQueueBackendOptions extends Partial<QueueTiming> {
  readonly connection: RedisConnectionOption;
  /** First part of every key. Default `sandbox`. */
  readonly prefix?: string;
}

/**
 * Tenants whose BullMQ handle stays in memory, about 4 KB each: a few more than one process has in hand. Making one costs
 * less than 10 us; keeping 4,096 cost a fifth of the process's time with 10,000 tenants in turn, for copying them.
 */
const HANDLES_KEPT = 128;
/** Tenants of whom it is remembered that their queue is set up; the others are set up again with the next add. */
const PREPARED_KEPT = 32_768;
/** `Queue` objects that stay in memory. */
const QUEUES_KEPT = 100;
/** Milliseconds that `close` waits for commands under way. */
const CLOSE_MS = 1_000;

/**
 * Per-tenant BullMQ queues on Redis, two connections a process.
 *
 * Tenant `acme` is the BullMQ queue `acme` with the prefix `<prefix>:{acme}`, so its keys share a slot of a Redis Cluster;
 * any BullMQ tool reads it as `new Queue('acme', { prefix: 'sandbox:{acme}', connection })`.
 * The ring and the deployment log live below `<prefix>:{~turns}`, which no tenant id can be.
 */
export function createRedisQueueBackend(options: RedisQueueBackendOptions): QueueBackend {
  const prefix = options.prefix ?? 'sandbox';
  if (!/^[\w.:-]+$/.test(prefix))
    throw new InvalidQueueOptionError('queue.prefix', prefix, 'use letters, digits, "_", "-", "." and ":"');
  return new TenantQueuesOnRedis(options.connection, prefix, resolveTiming(options));
}

class TenantQueuesOnRedis implements QueueBackend {
  readonly kind = 'redis';
  generation = 0;
  private parts: Parts | undefined;
  private readonly handles = new Lru<RedisQueueBackend>(HANDLES_KEPT);
  /** Whether this process has set how many events the tenant's queue keeps. */
  private readonly prepared = new Lru<{ done: boolean }>(PREPARED_KEPT);
  private readonly queues = new Lru<Queue<ActionJob>>(QUEUES_KEPT, (queue) => void queue.close().catch(() => {}));
  private downSince: number | undefined = Date.now();

  constructor(
    private readonly connection: RedisConnectionOption,
    private readonly prefix: string,
    private readonly timing: QueueTiming,
  ) {}

  async start(): Promise<void> {
    this.parts ??= await this.connect();
    const { root } = this.parts;
    await this.bounded('connect', () => root.waitUntilReady(), Date.now());
  }

  get ring(): RedisRing {
    return this.started().ring;
  }

  get deployments(): RedisDeployments {
    return this.started().deployments;
  }

  async add(tenantId: string, jobs: readonly NewJob[]): Promise<void> {
    const backend = this.handle(tenantId);
    if (jobs.length === 0) return;
    await this.bounded('add jobs', () => this.addNow(tenantId, backend, jobs));
  }

  async known(tenantId: string, actionIds: readonly string[]): Promise<ReadonlySet<string>> {
    const backend = this.handle(tenantId);
    // A job's hash goes when it ends, so that it exists says that it is waiting, delayed or active.
    const { commands } = this.started();
    const answers = await this.bounded('look jobs up', () =>
      Promise.all(actionIds.map((id) => commands.exists(backend.toKey(id)))),
    );
    return new Set(actionIds.filter((_, index) => answers[index] === 1));
  }

  async withWork(tenantIds: readonly string[]): Promise<readonly string[]> {
    const { commands } = this.started();
    // Not a pipeline: on a Cluster the tenants live in different slots. They leave in one system call all the same.
    const answers = await Promise.all(
      tenantIds.map((tenantId) => {
        const base = `${this.prefixOf(assertTenantId(tenantId))}:${tenantId}:`;
        return commands.exists(`${base}wait`, `${base}active`, `${base}delayed`, `${base}prioritized`, `${base}paused`);
      }),
    );
    return tenantIds.filter((_, index) => Number(answers[index]) > 0);
  }

  async remove(tenantId: string, actionIds: readonly string[]): Promise<void> {
    const backend = this.handle(tenantId);
    await this.bounded('remove jobs', () => Promise.all(actionIds.map((id) => backend.remove(id, false))));
  }

  forTenant(tenantId: string): IQueueBackend {
    return this.handle(tenantId);
  }

  queue(tenantId: string): Queue<ActionJob> {
    const { root, commands } = this.started();
    const prefix = this.prefixOf(tenantId);
    return this.queues.get(assertTenantId(tenantId), () => {
      const options = { connection: commands, prefix, streams: { events: { maxLen: MAX_LEN_EVENTS } } };
      const queue = new Queue<ActionJob>(tenantId, options, () => root.forQueue(tenantId, prefix) as RedisQueueBackend);
      return queue.on('error', () => {});
    });
  }

  async close(): Promise<void> {
    const { parts } = this;
    if (!parts) return;
    parts.ring.close();
    this.queues.clear();
    parts.blocking.disconnect();
    if (parts.commands.status === 'ready')
      await within(parts.commands.quit(), CLOSE_MS, () => this.unavailable('close', CLOSE_MS)).catch(() => {});
    parts.commands.disconnect();
    await within(parts.root.close(), CLOSE_MS, () => this.unavailable('close', CLOSE_MS)).catch(() => {});
  }

  private async connect(): Promise<Parts> {
    const { commands, blocking } = await openRedis(this.connection);
    commands.on('ready', () => (this.downSince = undefined));
    commands.on('close', () => (this.downSince ??= Date.now()));
    return partsOf(withSandboxCommands(commands), blocking, this.prefix, this.timing, () => this.reset());
  }

  private reset(): void {
    this.generation += 1;
    this.prepared.clear();
  }

  /**
   * The jobs, and the signal behind them, in one round trip; on a Cluster two, since they live in different slots. Commands
   * of one connection are answered in their order. A pipeline of ioredis would do the same for a quarter more of the
   * process's time (making one takes 50 us), and Redis would have to wait for all of it before it begins.
   */
  private async addNow(tenantId: string, backend: RedisQueueBackend, jobs: readonly NewJob[]): Promise<void> {
    const { commands, keys, root } = this.started();
    const client = await root.client;
    const answers: Promise<unknown>[] = [];
    const now = Date.now();
    const prepared = this.prepared.get(tenantId, () => ({ done: false }));
    if (!prepared.done) answers.push(client.hset(backend.toKey('meta'), { 'opts.maxLenEvents': MAX_LEN_EVENTS }));
    for (const job of jobs) {
      const entry = jobEntry(job, now);
      answers.push(backend.addJobToTransaction(client, entry.job, entry.jobId));
    }
    const signals = signalsOf(jobs, now);
    const together = !commands.isCluster;
    if (together && signals.now) answers.push(commands.sandboxSignal(keys.ready, keys.seq, tenantId));
    await Promise.all(answers);
    prepared.done = true;
    if (!together && signals.now) await this.ring.signal([tenantId]);
    if (signals.at !== undefined) await this.ring.signalAt(tenantId, signals.at);
  }

  private handle(tenantId: string): RedisQueueBackend {
    const { root } = this.started();
    const make = (): RedisQueueBackend => root.forQueue(tenantId, this.prefixOf(tenantId)) as RedisQueueBackend;
    return this.handles.get(assertTenantId(tenantId), make);
  }

  private prefixOf(tenantId: string): string {
    return `${this.prefix}:{${tenantId}}`;
  }

  private started(): Parts {
    if (!this.parts) throw this.unavailable('be used: it has not started', 0);
    return this.parts;
  }

  private unavailable(what: string, waitedMs: number, cause?: unknown): QueueUnavailableError {
    return new QueueUnavailableError('redis', what, waitedMs, cause);
  }

  /** Runs a command that a producer waits for: fails at once where Redis has been away for long, else in time. */
  private async bounded<T>(what: string, run: () => Promise<T>, downSince = this.downSince): Promise<T> {
    const { addTimeoutMs } = this.timing;
    const downMs = downSince === undefined ? 0 : Date.now() - downSince;
    if (downMs >= addTimeoutMs) throw this.unavailable(what, downMs);
    const late = (cause?: unknown): Error => this.unavailable(what, addTimeoutMs, cause);
    try {
      return await within(run(), addTimeoutMs, late);
    } catch (error) {
      throw isConnectionFault(error) ? late(error) : error;
    }
  }
}

interface Parts {
  readonly commands: SandboxRedis;
  readonly blocking: Redis;
  readonly root: RedisQueueBackend;
  readonly ring: RedisRing;
  readonly deployments: RedisDeployments;
  readonly keys: { readonly ready: string; readonly seq: string };
}

function partsOf(
  commands: SandboxRedis,
  blocking: Redis,
  prefix: string,
  { lockMs, checkMs }: QueueTiming,
  onReset: () => void,
): Parts {
  const key = (name: string): string => `${prefix}:{~turns}:${name}`;
  const keys = { ready: key('ready'), delayed: key('delayed'), seq: key('seq'), epoch: key('epoch') };
  // What a Worker would set: forQueue keeps the root's options, and they reach the scripts that lock and recover jobs.
  const options = { connection: commands, prefix, lockDuration: lockMs, stalledInterval: checkMs * 0.8 };
  const root = createRedisBackend('root', { ...options, maxStalledCount: MAX_STALLED_COUNT } as typeof options);
  root.on('error', () => {});
  const ring = new RedisRing(commands, blocking, keys, checkMs, onReset);
  const deployments = new RedisDeployments(commands, {
    log: key('deployments'),
    counter: key('deployed'),
    epoch: keys.epoch,
  });
  return { commands, blocking, root, ring, deployments, keys };
}

function isConnectionFault(error: unknown): boolean {
  const name = error instanceof Error ? error.name : '';
  const message = error instanceof Error ? error.message : '';
  return (
    name === 'MaxRetriesPerRequestError' || name === 'AbortError' || /Connection is closed|ECONN|EPIPE/.test(message)
  );
}
