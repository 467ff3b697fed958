import type { ActionJob } from '../protocol/job.js';
import type { NewAction } from '../records/action.record.js';
import type { TenantLease } from '../tenancy/tenancy.js';

/** Hands committed actions to the queue, without making anybody wait. Implemented by `producer/dispatch`. */
export interface ActionDispatcher {
  /**
   * Call right after the commit. Never throws; what cannot be handed over now, the relay finds. `seq`: of the first of
   * them; of transactions that wait here together, the one with the lower number goes first. Default 0.
   */
  dispatch(tenantId: string, actions: readonly NewAction[], seq?: number): void;
  /**
   * Hands over the actions that waited for this one and need not any more, and this one where it waits no more itself.
   * Call after it ended, or stepped aside. Never rejects; what cannot be handed over now, the relay finds.
   */
  resume(lease: TenantLease, actionId: string): Promise<void>;
  /**
   * Puts the tenant's line in order again, from the rows, after this job turned out to come before its time: what was
   * written before it goes to the front, and the job behind that. Never rejects; the relay finds what was not handed over.
   */
  lineUp(lease: TenantLease, job: ActionJob): Promise<void>;
  /** Hands a job over once more, to be delivered in `delayMs`. Never rejects; the relay finds what could not be. */
  later(tenantId: string, job: ActionJob, delayMs: number): Promise<void>;
}

/** Injection token of the `ActionDispatcher`. */
export const ACTION_DISPATCHER = Symbol.for('nestjs-sandbox:action-dispatcher');
