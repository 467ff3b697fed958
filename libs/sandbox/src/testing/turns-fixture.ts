import type { DeliveryHandler, Turns } from '../processor/turns/turns.js';
import type { TurnsOptions } from '../processor/turns/turns.options.js';
import type { QueueBackend } from '../queue/queue-backend.js';
import { pause, type Disposable } from './contract.js';
import { testJob } from './queue-contract.js';

/** What a case needs of an implementation: a store of its own, and processes over it. */
export interface TurnsFixture extends Disposable {
  /** A started backend over the case's store; `dispose` closes it. */
  readonly open: () => Promise<QueueBackend>;
  /** Turns over a backend that `open` made; `dispose` stops them first. What they report is in `reported`. */
  readonly turns: (backend: QueueBackend, options: TurnsOptions) => Turns;
  /** Loses everything that the store holds, as a flush does. */
  readonly flush: () => Promise<void>;
  /** Errors that the turns reported while they went on. */
  readonly reported: readonly unknown[];
  /** The backends' `lockMs`, at most 1,000, and `checkMs`. */
  readonly lockMs: number;
  readonly checkMs: number;
}

/** Jobs for tests, numbered. */
export const jobs = (count: number, prefix = 'a'): ReturnType<typeof testJob>[] =>
  Array.from({ length: count }, (_, n) => testJob(`${prefix}${n}`));

/** A handler that notes what it got and completes it after `ms`. */
export function noting(log: string[], ms = 0): DeliveryHandler {
  return async (delivery) => {
    log.push(delivery.job.actionId);
    if (ms > 0) await pause(ms);
    await delivery.complete();
  };
}

/** The only tenant of most cases. */
export const one = async (): Promise<readonly string[]> => ['acme'];

/** Adds jobs as another tool does: without a signal. */
export async function addSilently(backend: QueueBackend, tenantId: string, id: string, data: string): Promise<void> {
  const job = { id, name: 'action', data, opts: {}, timestamp: Date.now(), delay: 0 };
  await backend.forTenant(tenantId).addJob(job as never, id);
}
