import type { JobType } from 'bullmq';
import { Lru } from '../../queue/lru.js';
import type { QueueBackend } from '../../queue/queue-backend.js';

/** Tenants whose allowance is remembered. */
const TENANTS_KEPT = 4_096;
/** The part of the backlog that a process may fill before it asks how long the line is: a question costs a round trip. */
const UNASKED_PART = 1 / 20;
/** On PostgreSQL the jobs of a paused queue are counted as `paused`, which BullMQ's own types have forgotten. */
const WAITING = ['wait', 'paused', 'delayed'] as JobType[];

/**
 * How much room there is in a tenant's queue. Exact when a tenant is near its limit and one process writes; each further
 * process may exceed the limit by a twentieth, since it asks only once it has added that many.
 */
export class Backlog {
  private readonly allowances = new Lru<{ left: number }>(TENANTS_KEPT);

  constructor(
    private readonly backend: QueueBackend,
    private readonly most: number,
  ) {}

  /** How many of `wanted` jobs may be added; whoever adds them has used that room. Rejects when the queue is down. */
  async take(tenantId: string, wanted: number): Promise<number> {
    const unasked = Math.floor(this.most * UNASKED_PART);
    const allowance = this.allowances.get(tenantId, () => ({ left: unasked }));
    if (allowance.left < wanted) allowance.left = Math.min(await this.room(tenantId), wanted + unasked);
    const taken = Math.min(allowance.left, wanted);
    allowance.left -= taken;
    return taken;
  }

  /** How many jobs fit now. */
  async room(tenantId: string): Promise<number> {
    const counts = await this.backend.forTenant(tenantId).getCounts([...WAITING]);
    return Math.max(0, this.most - counts.reduce((sum, count) => sum + count, 0));
  }
}
