import type { HeldJob } from './held-job.js';

/**
 * The jobs in this process's hands. An array and not a `Set`: a set that loses a job for every one it gets leaves its former
 * tables behind in V8's old generation, where they keep ended jobs alive (see `Lru`).
 */
export class HeldJobs implements Iterable<HeldJob> {
  private readonly jobs: HeldJob[] = [];

  get size(): number {
    return this.jobs.length;
  }

  add(job: HeldJob): void {
    job.place = this.jobs.length;
    this.jobs.push(job);
  }

  /** Takes out a job that was added; the last one takes its place. */
  delete(job: HeldJob): void {
    const last = this.jobs.pop();
    if (last === undefined || last === job) return;
    last.place = job.place;
    this.jobs[job.place] = last;
  }

  [Symbol.iterator](): Iterator<HeldJob> {
    return this.jobs[Symbol.iterator]();
  }
}
