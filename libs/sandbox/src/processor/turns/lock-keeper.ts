import type { QueueBackend } from '../../queue/queue-backend.js';
import type { HeldJob } from './held-job.js';

/** What the keeper needs. */
export interface LockKeeperOptions {
  readonly lockMs: number;
  readonly checkMs: number;
  readonly onFault: (tenantId: string, error: unknown) => void;
}

/**
 * Renews the locks of all held jobs with one timer, at a third of the lock time: most jobs end before they need it.
 * Tenants with a job held that long also come back in the ring, so that somebody looks when this process dies.
 */
export class LockKeeper {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly queue: QueueBackend,
    private readonly held: Iterable<HeldJob>,
    private readonly options: LockKeeperOptions,
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.runOnce(), this.options.lockMs / 3);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Renews what needs it. */
  async runOnce(now = Date.now()): Promise<void> {
    const old = [...this.held].filter((job) => !job.ended && now - job.lockedAt >= this.options.lockMs / 4);
    await Promise.all([...groupByTenant(old)].map(([tenantId, jobs]) => this.renew(tenantId, jobs, now)));
  }

  private async renew(tenantId: string, jobs: readonly HeldJob[], now: number): Promise<void> {
    const { lockMs, checkMs } = this.options;
    try {
      const ids = jobs.map((job) => job.jobId);
      const tokens = jobs.map((job) => job.token);
      const lost = new Set(await this.queue.forTenant(tenantId).extendLocks(ids, tokens, lockMs));
      for (const job of jobs) this.renewed(job, lost.has(job.jobId), now);
      await this.queue.ring.signalAt(tenantId, now + checkMs);
    } catch (error) {
      this.options.onFault(tenantId, error);
      for (const job of jobs) if (Date.now() - job.lockedAt >= lockMs) job.abort();
    }
  }

  private renewed(job: HeldJob, lost: boolean, now: number): void {
    if (!lost) job.lockedAt = now;
    else if (!job.ended) job.abort();
  }
}

function groupByTenant(jobs: readonly HeldJob[]): Map<string, HeldJob[]> {
  const groups = new Map<string, HeldJob[]>();
  for (const job of jobs) groups.set(job.tenantId, [...(groups.get(job.tenantId) ?? []), job]);
  return groups;
}
