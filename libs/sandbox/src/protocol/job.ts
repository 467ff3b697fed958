import type { Change } from './change.js';
import type { TraceCarrier } from './trace.js';

/** The payload of a BullMQ job; the job's id is the action's id. The action row stays the truth. */
export interface ActionJob {
  readonly actionId: string;
  readonly scriptId: string;
  /** The version in force when the change was captured. The run uses the version in force when it starts. */
  readonly scriptVersion: number;
  readonly userId: string | null;
  /** 0 for a change made by the application; one more than the run's own depth for a change made by a script. */
  readonly depth: number;
  /** Milliseconds since the epoch when the action row was written. */
  readonly createdAt: number;
  /** The change itself, carried along to save a read; left out when its JSON is over 32 KiB. */
  readonly change?: Change;
  /** The trace that the write belongs to; left out where nobody traces. */
  readonly trace?: TraceCarrier;
}
