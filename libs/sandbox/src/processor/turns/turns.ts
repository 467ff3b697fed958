import type { ActionJob } from '../../protocol/job.js';

/**
 * A job in the hands of this process, locked for it. It ends with exactly one of `complete`, `retry`, `release` and
 * `dead`; whichever is called first counts, later calls do nothing and resolve to `false`.
 *
 * All four resolve to whether this process still held the job. `false` means the lock was lost: the job is, or will be,
 * delivered again, here or elsewhere; what guards the effects is the action row, not this lock. They reject only when
 * the queue cannot be reached; the job then comes back once its lock has run out.
 */
export interface Delivery {
  readonly tenantId: string;
  readonly job: ActionJob;
  /**
   * Attempts that ended without a result before this one: retries, plus deliveries whose processor died. 0 at first.
   * A job that keeps killing its processor therefore reaches any limit on attempts.
   */
  readonly attemptsMade: number;
  /** Milliseconds since the epoch when this process got the job. */
  readonly claimedAt: number;
  /** Aborts when the lock was lost, and when a shutdown waits no longer (`TurnsStoppedError` or `JobLockLostError` as reason). */
  readonly signal: AbortSignal;
  /** The action is finished, one way or the other. Removes the job. */
  complete(): Promise<boolean>;
  /**
   * Runs it again in `delayMs`, with `attemptsMade` one higher.
   * Where the tenant's jobs run one at a time it goes back to the FRONT of its line and the tenant waits with it, so that
   * nothing overtakes it; otherwise it steps aside and the tenant's other jobs go on.
   */
  retry(delayMs: number): Promise<boolean>;
  /** Puts the job back at the front of its line at once, as if it had not been delivered: for a shutdown. */
  release(): Promise<boolean>;
  /** Gives the job up. Removes it; the action row keeps what happened. */
  dead(reason: string): Promise<boolean>;
}

/**
 * What is done with a delivery. The slot is taken until the promise settles.
 * A handler that returns or rejects without having ended the delivery has it retried after one second.
 */
export type DeliveryHandler = (delivery: Delivery) => Promise<void>;

/**
 * Decides which tenant is served next, and hands out its jobs.
 *
 * Promises (the exported suite `turnsContract` checks them on every backend):
 * - at most `concurrency` deliveries are in this process's hands, however many tenants wait;
 * - tenants that have work are served round robin, so that one with a million jobs delays another by its turn only;
 * - at most `tenantConcurrency` jobs of a tenant are in hand over ALL processes;
 * - where that is 1, jobs of a tenant are delivered in the order they were added, whatever is retried, released or lost;
 * - a job whose processor died is delivered again after its lock has run out, without anybody asking;
 * - a job whose signal was lost is found by the sweep;
 * - a job whose payload is malformed is removed and reported, and its tenant goes on;
 * - connections, timers and memory do not grow with the number of tenants.
 */
export interface Turns {
  /** Begins to hand deliveries to `handler`. Once. */
  start(handler: DeliveryHandler): void;
  /**
   * Takes no more, hands back what no handler has begun, and waits up to `drainMs` for the handlers; then aborts the
   * signals of the rest and puts their jobs back at once. Idempotent.
   */
  stop(drainMs: number): Promise<void>;
  /** Serves the tenant no more, in any process, until `resume`; what is in hand goes on. */
  pause(tenantId: string): Promise<void>;
  /** Serves the tenant again. */
  resume(tenantId: string): Promise<void>;
  /** Deliveries in this process's hands now. */
  readonly held: number;
}

/** Injection token of the `Turns`. */
export const TURNS = Symbol.for('nestjs-sandbox:turns');
