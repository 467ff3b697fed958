import type { IQueueBackend } from 'bullmq';
import { HeldJob, type HeldJobHost } from './held-job.js';

/** A job whose queue answers each attempt to end it with the next of these. */
function jobThatMeets(...answers: readonly (Error | 'done')[]) {
  const left = [...answers];
  let attempts = 0;
  const lost: string[] = [];
  const moveToCompleted = async () => {
    attempts += 1;
    const answer = left.shift() ?? 'done';
    if (answer instanceof Error) throw answer;
    return { result: [] };
  };
  const host: HeldJobHost = {
    backend: { moveToCompleted } as unknown as IQueueBackend,
    sequential: true,
    goesOn: () => false,
    signal: () => undefined,
    signalAt: async () => undefined,
    hold: async () => undefined,
    lost: (jobId) => lost.push(jobId),
    unreadable: async () => undefined,
  };
  const job = { actionId: 'a' } as never;
  const held = new HeldJob({ tenantId: 'acme', jobId: 'a', token: 't', job, attemptsMade: 0 }, host);
  return { held, lost, attempts: () => attempts };
}

const cut = () => new Error('Connection terminated unexpectedly');
const notHeld = () => Object.assign(new Error('Missing lock'), { code: -2 });

describe('A held job', () => {
  it('is ended although the connection is cut meanwhile: its tenant need not wait for the lock to run out', async () => {
    const { held, attempts } = jobThatMeets(cut(), cut());
    await expect(held.complete()).resolves.toBe(true);
    expect(attempts()).toBe(3);
  });

  it('that was ended although the answer was lost is not this process’s any more', async () => {
    const { held, lost, attempts } = jobThatMeets(cut(), notHeld());
    await expect(held.complete()).resolves.toBe(false);
    expect(attempts()).toBe(2);
    expect(held.signal.aborted).toBe(true);
    expect(lost).toEqual(['a']);
  });

  it('is given up to its lock when the queue stays away', async () => {
    const { held, attempts } = jobThatMeets(...Array.from({ length: 20 }, cut));
    await expect(held.complete()).rejects.toThrow('Connection terminated');
    expect(attempts()).toBeGreaterThan(3);
    expect(attempts()).toBeLessThan(8);
  });
});
