/** Timing shared by the backends and the turns. A lock is renewed at a third of `lockMs`. */
export interface QueueTiming {
  /** Milliseconds a job stays locked without renewal: how long a dead processor's jobs wait. Default 15,000. */
  readonly lockMs: number;
  /** Milliseconds between two looks for lapsed locks of one tenant; also when a tenant that was taken comes back. Default 5,000. */
  readonly checkMs: number;
  /** Milliseconds after which `add` and the like give up. Default 5,000. */
  readonly addTimeoutMs: number;
}

/** The defaults of `QueueTiming`. */
export const QUEUE_TIMING: QueueTiming = { lockMs: 15_000, checkMs: 5_000, addTimeoutMs: 5_000 };

/**
 * A job that stalls is delivered again however often; `Delivery.attemptsMade` counts it, and the consumer gives up.
 * BullMQ's own limit would end the action without its row knowing. Fits PostgreSQL's integer.
 */
export const MAX_STALLED_COUNT = 2_000_000_000;

/** Events kept per tenant queue: BullMQ's default of 10,000 costs gigabytes at thousands of tenants. */
export const MAX_LEN_EVENTS = 10;

/** Timing with the defaults filled in. */
export function resolveTiming(options: Partial<QueueTiming>): QueueTiming {
  return {
    lockMs: options.lockMs ?? QUEUE_TIMING.lockMs,
    checkMs: options.checkMs ?? QUEUE_TIMING.checkMs,
    addTimeoutMs: options.addTimeoutMs ?? QUEUE_TIMING.addTimeoutMs,
  };
}
