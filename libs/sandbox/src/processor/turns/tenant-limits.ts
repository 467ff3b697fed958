import type { IQueueBackend } from 'bullmq';
import { MAX_LEN_EVENTS } from '../../queue/defaults.js';
import type { QueueBackend } from '../../queue/queue-backend.js';
import type { ResolvedTurnsOptions } from './turns.options.js';

/** More than any tenant does: a rate limit that only `hold` ever reaches. The largest integer of PostgreSQL. */
const NO_LIMIT = 2_147_483_647;

/**
 * Milliseconds after which limits that were written are written once more: a process that had not heard of a change yet
 * may have written the old ones in between.
 */
const REPEAT_MS = 4_000;

interface Written {
  readonly text: string;
  readonly at: number;
  /** Whether they were written for the second time. */
  readonly repeated: boolean;
}

/**
 * A tenant's limits live in BullMQ's own settings of its queue (global concurrency, global rate limit), where they are
 * exact over all processes. They are written when this process first meets the queue, and again when they change; the
 * memory hangs on the backend's handle of the tenant, which is new after the data was flushed.
 */
export class TenantLimits {
  private readonly written = new WeakMap<IQueueBackend, Written>();
  private readonly onHold = new Set<string>();

  constructor(
    private readonly queue: QueueBackend,
    private readonly options: ResolvedTurnsOptions,
  ) {}

  /** Jobs of the tenant in hand at once, over all processes. */
  concurrency(tenantId: string): number {
    return Math.max(1, Math.floor(this.options.tenantConcurrency(tenantId)));
  }

  /** Makes the tenant's limits hold for the next fetch on this handle. */
  async apply(tenantId: string, backend: IQueueBackend): Promise<void> {
    const limits = this.of(tenantId);
    const text = JSON.stringify(limits);
    const known = this.written.get(backend);
    const same = known?.text === text;
    if (same && (known.repeated || performance.now() - known.at < REPEAT_MS)) return;
    this.written.set(backend, { text, at: performance.now(), repeated: same });
    if (known && 'max' in JSON.parse(known.text) && !('max' in limits)) await this.lift(tenantId, backend);
    const writing = backend.setQueueMeta(limits);
    // Redis serves one connection's commands in order; only PostgreSQL's pool needs the answer first.
    if (this.queue.kind === 'postgres') await writing;
    else writing.catch(() => this.written.delete(backend));
  }

  /** Lets no job of the tenant begin for `delayMs`: BullMQ's rate limit, used up by hand. */
  async hold(tenantId: string, delayMs: number): Promise<void> {
    const backend = this.queue.forTenant(tenantId);
    if (!this.options.tenantRate(tenantId)) {
      await backend.setQueueMeta({ max: NO_LIMIT, duration: 1 });
      this.onHold.add(tenantId);
    }
    await backend.setRateLimit(Math.ceil(delayMs));
  }

  /** A job of the tenant has begun: a hold is over, and counting its jobs would cost three commands each. */
  async begun(tenantId: string, backend: IQueueBackend): Promise<void> {
    if (!this.onHold.delete(tenantId) || this.options.tenantRate(tenantId)) return;
    await backend.removeQueueMetaFields(['max', 'duration']);
  }

  /** The tenant has no rate limit any more; a hold stays. */
  private async lift(tenantId: string, backend: IQueueBackend): Promise<void> {
    if (!this.onHold.has(tenantId)) await backend.removeQueueMetaFields(['max', 'duration']);
  }

  private of(tenantId: string): Record<string, number> {
    const rate = this.options.tenantRate(tenantId);
    return {
      concurrency: this.concurrency(tenantId),
      'opts.maxLenEvents': MAX_LEN_EVENTS,
      ...(rate ? { max: rate.max, duration: rate.durationMs } : {}),
    };
  }
}
