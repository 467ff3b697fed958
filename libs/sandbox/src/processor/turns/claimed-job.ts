import type { IQueueBackend, JobJson } from 'bullmq';
import type { ActionJob } from '../../protocol/job.js';
import { MalformedJobError } from '../../errors/queue.errors.js';
import { readActionJob } from '../../queue/job-entry.js';

/** What BullMQ answers to "the next job, please". */
export interface Fetched {
  readonly jobId: string;
  readonly job: JobJson | undefined;
  /** Milliseconds until the tenant's rate limit lets the next job through; 0 where nothing is limited. */
  readonly limitedMs: number;
  /** When the next delayed job is due, milliseconds since the epoch; 0 where there is none. */
  readonly delayedUntil: number;
}

/** Reads the tuple of `moveToActive` and of a finish that fetches the next job. */
export function readFetched(raw: unknown): Fetched {
  const [job, jobId, limitedMs, delayedUntil] = (raw ?? []) as [JobJson | null, string, number, number];
  return {
    jobId: jobId ? String(jobId) : '',
    job: job ?? undefined,
    limitedMs: Number(limitedMs) || 0,
    delayedUntil: Number(delayedUntil) || 0,
  };
}

/** A job that this process has locked. */
export interface ClaimedJob {
  readonly tenantId: string;
  readonly jobId: string;
  readonly token: string;
  readonly job: ActionJob;
  readonly attemptsMade: number;
}

/** The job in what was fetched, or what is wrong with it. */
export function claimOf(tenantId: string, token: string, { jobId, job }: Fetched): ClaimedJob | MalformedJobError {
  if (!job) return new MalformedJobError(tenantId, jobId, 'it has no data');
  const read = readActionJob(job.data, jobId);
  if ('problem' in read) return new MalformedJobError(tenantId, jobId, read.problem);
  return { tenantId, jobId, token, job: read.job, attemptsMade: (job.attemptsMade ?? 0) + (job.stalledCounter ?? 0) };
}

/** Removes a locked job that cannot be served. */
export async function discard(backend: IQueueBackend, jobId: string, token: string, reason: string): Promise<void> {
  await backend.moveToFailed({ id: jobId, opts: { attempts: 1 } } as never, reason, true, token, false);
}

/**
 * Removes the job that makes BullMQ itself fail when it reads it (its stored options are no JSON), after it was locked with
 * `token`. Only that job can be put back with the token; the others of the active list refuse it.
 */
export async function discardUnreadable(backend: IQueueBackend, token: string): Promise<string | undefined> {
  for (const jobId of (await backend.getRanges(['active'], 0, -1)).flat()) {
    const back = await backend.moveJobFromActiveToWait(jobId, token).catch(() => undefined);
    if (back === undefined) continue;
    await backend.remove(jobId, false);
    return jobId;
  }
  return undefined;
}

/** BullMQ's codes for "this token does not hold that job": no such job, no lock, not active, another's lock. */
const NOT_HELD = new Set([-1, -2, -3, -6]);

/** Whether a job operation failed because the job is not this process's any more. */
export function isNotHeld(error: unknown): boolean {
  return error instanceof Error && NOT_HELD.has((error as Error & { code?: number }).code ?? 0);
}
