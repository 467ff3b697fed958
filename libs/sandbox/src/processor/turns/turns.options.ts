import { QUEUE_TIMING } from '../../queue/defaults.js';
import type { TenantRate } from '../../sandbox.options.js';

/** What `QueueTurns` takes. Functions are asked at every turn of the tenant, so that a changed answer takes effect. */
export interface TurnsOptions {
  /** Deliveries in this process's hands at once. */
  readonly concurrency: number;
  /** What has to resolve before a turn of the tenant asks the functions below; nothing where they can be asked at once. */
  readonly prepare?: (tenantId: string) => Promise<void> | undefined;
  /** A tenant's jobs in hand at once, over all processes. 1: strictly one after the other. Default 1. */
  readonly tenantConcurrency?: (tenantId: string) => number;
  /** A tenant of weight 2 has turns twice as long while others wait. Default 1. */
  readonly tenantWeight?: (tenantId: string) => number;
  /** A tenant's rate limit. Default none. */
  readonly tenantRate?: (tenantId: string) => TenantRate | undefined;
  /** All tenants there are: what the sweep goes through. */
  readonly tenants: () => Promise<readonly string[]>;
  /** Jobs of a turn while others wait. Default 16. */
  readonly quantumJobs?: number;
  /** Milliseconds that handlers may take in a turn while others wait; a job that was begun goes on. Default 5. */
  readonly quantumMs?: number;
  /** Tenants that the sweep looks at per second. Default 30. */
  readonly sweepPerSecond?: number;
  /** Milliseconds a job is locked; the same as the backend's. Default 15,000. */
  readonly lockMs?: number;
  /** Milliseconds between two looks for lapsed locks of one tenant; the same as the backend's. Default 5,000. */
  readonly checkMs?: number;
}

/** `TurnsOptions` with the defaults filled in. */
export type ResolvedTurnsOptions = Required<TurnsOptions>;

/** Fills in the defaults. */
export function resolveTurnsOptions(options: TurnsOptions): ResolvedTurnsOptions {
  return {
    prepare: () => undefined,
    tenantConcurrency: () => 1,
    tenantWeight: () => 1,
    tenantRate: () => undefined,
    quantumJobs: 16,
    quantumMs: 5,
    sweepPerSecond: 30,
    lockMs: QUEUE_TIMING.lockMs,
    checkMs: QUEUE_TIMING.checkMs,
    ...options,
  };
}
