import type { IQueueBackend, Queue } from 'bullmq';
import type { ActionJob } from '../protocol/job.js';

/** A job to add; its BullMQ id is `job.actionId`, so adding it again while it exists does nothing. */
export interface NewJob {
  readonly job: ActionJob;
  /** Milliseconds until it may run. Default 0. */
  readonly delayMs?: number;
  /** To the front of the line: it has been there before. Not for delayed ones. Default false. */
  readonly front?: boolean;
}

/**
 * How work travels: one plain BullMQ queue per tenant (any BullMQ tool can read it), all over a few shared connections,
 * and what the turns need beside them. Implementations: Redis, PostgreSQL. The exported suite is `queueBackendContract`.
 */
export interface QueueBackend {
  readonly kind: 'redis' | 'postgres';
  /** Goes up when everything written into the tenants' queues is seen to be gone: it was flushed, or is another server's. */
  readonly generation: number;
  /** Connects, and prepares what has to exist. */
  start(): Promise<void>;
  /**
   * Adds jobs to a tenant's queue and signals that the tenant has work. In order; one round trip a call where possible.
   * Rejects with `QueueUnavailableError` when the backend cannot be reached within `addTimeoutMs` (default 5,000).
   */
  add(tenantId: string, jobs: readonly NewJob[]): Promise<void>;
  /** Which of these actions the tenant's queue knows (waiting, delayed or active). */
  known(tenantId: string, actionIds: readonly string[]): Promise<ReadonlySet<string>>;
  /**
   * Which of these tenants have anything in their queue that is not finished. One cheap command a tenant, or one for all.
   * What the sweep asks, to find tenants whose signal was lost.
   */
  withWork(tenantIds: readonly string[]): Promise<readonly string[]>;
  /** Removes jobs that nobody works on; one that is running stays. */
  remove(tenantId: string, actionIds: readonly string[]): Promise<void>;
  /** BullMQ's own operations on the tenant's queue, over the shared connections. */
  forTenant(tenantId: string): IQueueBackend;
  /** A BullMQ `Queue` over the shared connections, from a small cache: for counts, Bull Board, pausing. */
  queue(tenantId: string): Queue<ActionJob>;
  /** The ring of tenants that may have work; see `processor/turns`. */
  readonly ring: TenantRing;
  /** Which tenants' scripts changed; see `ScriptRegistry`. */
  readonly deployments: DeploymentLog;
  /** Closes every connection. Pending `take` calls resolve to nothing. */
  close(): Promise<void>;
}

/** The line of tenants that may have work, shared by all processors. Signals are hints; the tenants' queues are the truth. */
export interface TenantRing {
  /** Puts tenants at the end of the line; one that already waits keeps its place. */
  signal(tenantIds: readonly string[]): Promise<void>;
  /** Puts tenants that were taken and cannot be served yet at the front of the line, in this order. */
  putBack(tenantIds: readonly string[]): Promise<void>;
  /** Puts a tenant in the line at `atMs` (milliseconds since the epoch); an earlier time already set stays. */
  signalAt(tenantId: string, atMs: number): Promise<void>;
  /**
   * Takes up to `count` tenants from the front, moving those that are due into the line first; waits up to `waitMs` for
   * one, or until `signal` aborts. A tenant that was signalled comes back by itself once, `checkMs` after it was taken:
   * so a process that dies between taking a tenant and serving it loses nothing.
   */
  take(count: number, waitMs: number, signal?: AbortSignal): Promise<string[]>;
}

/** A log of deployments that every process reads a few times a second; catches up after a lost connection. */
export interface DeploymentLog {
  /** Records that the tenant's scripts changed. */
  announce(tenantId: string): Promise<void>;
  /**
   * Tenants announced since `cursor`, and the next cursor. `undefined` as cursor starts at the end.
   * `lost: true`: the log cannot tell (it was flushed or trimmed): treat everything cached as stale.
   */
  since(cursor: string | undefined): Promise<{ cursor: string; tenantIds: readonly string[]; lost: boolean }>;
}

/** Injection token of the `QueueBackend`. */
export const QUEUE_BACKEND = Symbol.for('nestjs-sandbox:queue-backend');
