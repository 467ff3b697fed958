import type { ActionJob } from '../protocol/job.js';
import type { NewAction } from '../records/action.record.js';
import type { TenantLease } from '../tenancy/tenancy.js';

/** Hands committed actions to the queue, without making anybody wait. Implemented by `producer/dispatch`. */
export interface ActionDispatcher {
  /** Call right after the commit. Never throws; what cannot be handed over now, the relay finds. */
  dispatch(tenantId: string, actions: readonly NewAction[]): void;
  /**
   * Hands over the actions that waited for this one and need not any more, and this one where it waits no more itself.
   * Call after it ended, or stepped aside. Never rejects; what cannot be handed over now, the relay finds.
   */
  resume(lease: TenantLease, actionId: string): Promise<void>;
  /** Hands a job over once more, to be delivered in `delayMs`. Never rejects; the relay finds what could not be. */
  later(tenantId: string, job: ActionJob, delayMs: number): Promise<void>;
}

/** Injection token of the `ActionDispatcher`. */
export const ACTION_DISPATCHER = Symbol.for('nestjs-sandbox:action-dispatcher');
