import type { IQueueBackend } from 'bullmq';
import { MAX_LEN_EVENTS } from '../../queue/defaults.js';
import { Lru } from '../../queue/lru.js';
import type { QueueBackend } from '../../queue/queue-backend.js';
import type { TenantRate } from '../../sandbox.options.js';
import type { ResolvedTurnsOptions } from './turns.options.js';

/** More than any tenant does: a rate limit that only `hold` ever reaches. The largest integer of PostgreSQL. */
const NO_LIMIT = 2_147_483_647;

/**
 * Milliseconds after which limits that were written are written once more: a process that had not heard of a change yet
 * may have written the old ones in between.
 */
const REPEAT_MS = 4_000;

/** Tenants whose limits are remembered as written, some 100 bytes each; beyond that they are written at every turn. */
const TENANTS_KEPT = 32_768;

/** What was last written into a tenant's queue; `concurrency` is 0 where nothing is known to be there. */
interface Written {
  concurrency: number;
  rate: TenantRate | undefined;
  at: number;
  /** Whether it was written for the second time. */
  repeated: boolean;
}

/**
 * A tenant's limits live in BullMQ's own settings of its queue (global concurrency, global rate limit), where they are
 * exact over all processes. They are written when this process first meets the queue, and again when they change or the
 * queue's data was flushed.
 */
export class TenantLimits {
  private readonly written = new Lru<Written>(TENANTS_KEPT);
  private generation: number;
  private readonly onHold = new Set<string>();
  /** Holds that are being taken away: PostgreSQL's pool might do that after the next hold was set. */
  private readonly ending = new Map<string, Promise<void>>();

  constructor(
    private readonly queue: QueueBackend,
    private readonly options: ResolvedTurnsOptions,
  ) {
    this.generation = queue.generation;
  }

  /** Jobs of the tenant in hand at once, over all processes. */
  concurrency(tenantId: string): number {
    return Math.max(1, Math.floor(this.options.tenantConcurrency(tenantId)));
  }

  /** Makes the tenant's limits hold for the next fetch on this handle; nothing to wait for where they do already. */
  apply(tenantId: string, backend: IQueueBackend): Promise<void> | undefined {
    const written = this.writtenOf(tenantId);
    const concurrency = this.concurrency(tenantId);
    const rate = this.options.tenantRate(tenantId);
    const same = written.concurrency === concurrency && sameRate(written.rate, rate);
    if (same && (written.repeated || performance.now() - written.at < REPEAT_MS)) return undefined;
    const lift = written.rate !== undefined && rate === undefined;
    Object.assign(written, { concurrency, rate, at: performance.now(), repeated: same });
    return this.write(tenantId, backend, written, lift);
  }

  /** Lets no job of the tenant begin for `delayMs`: BullMQ's rate limit, used up by hand. */
  async hold(tenantId: string, delayMs: number): Promise<void> {
    const backend = this.queue.forTenant(tenantId);
    if (!this.options.tenantRate(tenantId)) {
      await this.ending.get(tenantId);
      await backend.setQueueMeta({ max: NO_LIMIT, duration: 1 });
      this.onHold.add(tenantId);
    }
    await backend.setRateLimit(Math.ceil(delayMs));
  }

  /** A job of the tenant has begun: a hold is over, and counting its jobs would cost three commands each. */
  begun(tenantId: string, backend: IQueueBackend): void {
    if (!this.onHold.delete(tenantId) || this.options.tenantRate(tenantId)) return;
    const ending = backend
      .removeQueueMetaFields(['max', 'duration'])
      .then(
        () => {},
        () => {},
      )
      .finally(() => this.ending.delete(tenantId));
    this.ending.set(tenantId, ending);
  }

  private async write(tenantId: string, backend: IQueueBackend, written: Written, lift: boolean): Promise<void> {
    const { concurrency, rate } = written;
    if (lift) await this.lift(tenantId, backend);
    const writing = backend.setQueueMeta({
      concurrency,
      'opts.maxLenEvents': MAX_LEN_EVENTS,
      ...(rate ? { max: rate.max, duration: rate.durationMs } : {}),
    });
    // Redis serves one connection's commands in order; only PostgreSQL's pool needs the answer first.
    if (this.queue.kind === 'postgres') await writing;
    else writing.catch(() => (written.concurrency = 0));
  }

  private writtenOf(tenantId: string): Written {
    if (this.queue.generation !== this.generation) this.written.clear();
    this.generation = this.queue.generation;
    return this.written.get(tenantId, () => ({ concurrency: 0, rate: undefined, at: 0, repeated: false }));
  }

  /** The tenant has no rate limit any more; a hold stays. */
  private async lift(tenantId: string, backend: IQueueBackend): Promise<void> {
    if (!this.onHold.has(tenantId)) await backend.removeQueueMetaFields(['max', 'duration']);
  }
}

function sameRate(one: TenantRate | undefined, other: TenantRate | undefined): boolean {
  return one === other || (one?.max === other?.max && one?.durationMs === other?.durationMs);
}
