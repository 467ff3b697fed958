import type { NewJob } from './queue-backend.js';

/** What the ring has to be told about new jobs. */
export interface NewJobSignals {
  /** Some may run now. */
  readonly now: boolean;
  /** When the first of the delayed ones may run, milliseconds since the epoch. */
  readonly at: number | undefined;
}

/** Tells which signals jobs need that were added at `now`. */
export function signalsOf(jobs: readonly NewJob[], now: number): NewJobSignals {
  const delays = jobs.map((job) => job.delayMs ?? 0);
  const later = delays.filter((delay) => delay > 0);
  return { now: later.length < delays.length, at: later.length > 0 ? now + Math.min(...later) : undefined };
}
