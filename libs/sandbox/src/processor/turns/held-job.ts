import { setTimeout as sleep } from 'node:timers/promises';
import type { IQueueBackend } from 'bullmq';
import { JobLockLostError } from '../../errors/queue.errors.js';
import { isNotHeld, readFetched, type ClaimedJob, type Fetched } from './claimed-job.js';
import type { Delivery } from './turns.js';

/** What a held job asks of the turns. */
export interface HeldJobHost {
  readonly backend: IQueueBackend;
  /** Whether jobs of the tenant run strictly one after the other. */
  readonly sequential: boolean;
  /** Asked when the job ends, `busyMs` after it was handed out: shall the same step bring the tenant's next job? */
  goesOn(busyMs: number): boolean;
  /** The tenant may have work now. */
  signal(): void;
  /** The tenant may have work at that time, milliseconds since the epoch. */
  signalAt(atMs: number): Promise<void>;
  /** Lets none of the tenant's jobs begin for so long. */
  hold(delayMs: number): Promise<void>;
  /** The job is not this process's any more. */
  lost(jobId: string): void;
  /** The tenant's next job could not be read by BullMQ; its lock has this token. */
  unreadable(token: string): Promise<void>;
}

/** Milliseconds for which an end is tried again: a connection that was cut is there again long before, the lock as well. */
const INSIST_MS = 5_000;
const FIRST_PAUSE_MS = 50;

/**
 * Tells the queue how a job ended, again if it must: a job that nobody ends keeps its tenant waiting until its lock runs
 * out. ioredis does so by itself, pg does not. An end that was done although its answer was lost finds the job not held.
 */
async function insist(how: () => Promise<void>): Promise<void> {
  const until = performance.now() + INSIST_MS;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs *= 3) {
    try {
      return await how();
    } catch (error) {
      if (isNotHeld(error) || performance.now() + pauseMs > until) throw error;
      await sleep(pauseMs);
    }
  }
}

/** A locked job, and the four ways to end it. `next` holds what `complete` or `dead` fetched along with ending it. */
export class HeldJob implements Delivery {
  readonly tenantId: string;
  readonly job: ClaimedJob['job'];
  readonly attemptsMade: number;
  readonly claimedAt = Date.now();
  /** When the lock was last known to be ours for another full lock time. */
  lockedAt = this.claimedAt;
  next: Fetched | undefined;
  /** Where it stands in `HeldJobs`. */
  place = -1;
  /** Made when somebody asks for the signal: it costs more than the rest of the object. */
  private lost: AbortController | undefined;
  private lostBecause: Error | undefined;
  private state: 'held' | 'ending' | 'ended' = 'held';

  constructor(
    private readonly claimed: ClaimedJob,
    private readonly host: HeldJobHost,
  ) {
    this.tenantId = claimed.tenantId;
    this.job = claimed.job;
    this.attemptsMade = claimed.attemptsMade;
  }

  get signal(): AbortSignal {
    this.lost ??= new AbortController();
    if (this.lostBecause && !this.lost.signal.aborted) this.lost.abort(this.lostBecause);
    return this.lost.signal;
  }

  get jobId(): string {
    return this.claimed.jobId;
  }

  get token(): string {
    return this.claimed.token;
  }

  /** Whether one of the four was called. */
  get ended(): boolean {
    return this.state !== 'held';
  }

  complete(): Promise<boolean> {
    return this.end(() => this.finish((fetchNext) => this.moveToCompleted(fetchNext)));
  }

  dead(reason: string): Promise<boolean> {
    return this.end(() => this.finish((fetchNext) => this.moveToFailed(reason, fetchNext)));
  }

  retry(delayMs: number): Promise<boolean> {
    const { sequential } = this.host;
    return this.end(() => (sequential ? this.retryInFront(delayMs) : this.retryAside(delayMs)));
  }

  release(): Promise<boolean> {
    return this.end(async () => {
      await this.host.backend.moveJobFromActiveToWait(this.jobId, this.token);
      this.host.signal();
    });
  }

  /** Tells the handler that the job is not this process's any more. */
  abort(reason: Error = new JobLockLostError(this.tenantId, this.jobId)): void {
    if (!this.lostBecause && reason instanceof JobLockLostError) this.host.lost(this.jobId);
    this.lostBecause ??= reason;
    if (this.lost && !this.lost.signal.aborted) this.lost.abort(this.lostBecause);
  }

  private async end(how: () => Promise<void>): Promise<boolean> {
    if (this.state !== 'held') return false;
    this.state = 'ending';
    try {
      await insist(how);
      return true;
    } catch (error) {
      // Wherever the job is now, the tenant may have work that this process was about to look after.
      this.host.signal();
      if (!isNotHeld(error)) throw error;
      this.abort();
      return false;
    } finally {
      this.state = 'ended';
    }
  }

  private async finish(move: (fetchNext: boolean) => Promise<unknown>): Promise<void> {
    const fetchNext = this.host.goesOn(Date.now() - this.claimedAt);
    try {
      const raw = await move(fetchNext);
      if (fetchNext) this.next = readFetched(raw);
      else this.host.signal();
    } catch (error) {
      // The move itself was done; it is the next job that BullMQ cannot read.
      if (!(error instanceof SyntaxError)) throw error;
      await this.host.unreadable(this.token);
    }
  }

  private async moveToCompleted(fetchNext: boolean): Promise<unknown> {
    const { backend } = this.host;
    return (await backend.moveToCompleted(this.minimal(), null, true, this.token, fetchNext)).result;
  }

  private async moveToFailed(reason: string, fetchNext: boolean): Promise<unknown> {
    const { backend } = this.host;
    return (await backend.moveToFailed(this.minimal(), reason, true, this.token, fetchNext)).result;
  }

  /**
   * The job goes to the front and the whole tenant is held by BullMQ's own rate limit, in that order: a process that looks
   * in between finds the job still active and the tenant at its limit, so nothing can overtake.
   */
  private async retryInFront(delayMs: number): Promise<void> {
    const { backend } = this.host;
    if (delayMs > 0) await this.host.hold(delayMs);
    await backend.retryJob(this.jobId, true, this.token);
    if (delayMs > 0) await this.host.signalAt(Date.now() + delayMs);
    else this.host.signal();
  }

  private async retryAside(delayMs: number): Promise<void> {
    const { backend } = this.host;
    const now = Date.now();
    if (delayMs > 0) {
      await backend.moveToDelayed(this.jobId, now, Math.ceil(delayMs), this.token, { skipAttempt: false });
      await this.host.signalAt(now + delayMs);
    } else {
      await backend.retryJob(this.jobId, false, this.token);
    }
    this.host.signal();
  }

  /** What BullMQ's finishing needs of a job; without attempts its script for failures breaks. */
  private minimal(): never {
    return { id: this.jobId, opts: { attempts: 1 } } as never;
  }
}
