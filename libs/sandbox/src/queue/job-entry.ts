import type { JobJson } from 'bullmq';
import type { ActionJob } from '../protocol/job.js';
import type { NewJob } from './queue-backend.js';

/** BullMQ's name of every job of this library. */
export const JOB_NAME = 'action';

/** Jobs vanish when they end: the action row keeps the history, and a removed id can be added again for a replay. */
const OPTIONS = { removeOnComplete: true, removeOnFail: true };

/** A job in the form in which BullMQ's backends take it. */
export interface JobEntry {
  readonly job: JobJson;
  readonly jobId: string;
}

/** Turns a job into what `IQueueBackend.addJobs` takes. */
export function jobEntry({ job, delayMs = 0, front = false }: NewJob, now: number): JobEntry {
  const delay = Math.max(0, Math.ceil(delayMs));
  return {
    jobId: job.actionId,
    job: {
      id: job.actionId,
      name: JOB_NAME,
      data: JSON.stringify(job),
      opts: delay > 0 ? { ...OPTIONS, delay } : front ? { ...OPTIONS, lifo: true } : OPTIONS,
      ...(delay > 0 ? { delay } : {}),
      timestamp: now,
      progress: 0,
      attemptsMade: 0,
      attemptsStarted: 0,
      stalledCounter: 0,
      failedReason: '',
      returnvalue: '',
    },
  };
}

/** Reads a job's payload; returns what is wrong with it where it is not an `ActionJob`. */
export function readActionJob(data: string, jobId: string): { job: ActionJob } | { problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return { problem: 'its data is not JSON' };
  }
  if (value === null || typeof value !== 'object') return { problem: 'its data is not an object' };
  const job = value as Partial<ActionJob>;
  if (job.actionId !== jobId) return { problem: 'its actionId is not its id' };
  if (typeof job.scriptId !== 'string') return { problem: 'it names no script' };
  return { job: job as ActionJob };
}
