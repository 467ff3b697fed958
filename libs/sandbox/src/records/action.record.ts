import type { Change } from '../protocol/change.js';
import type { Outcome, ScriptError } from '../protocol/run.js';
import type { TraceCarrier } from '../protocol/trace.js';

/** Where an action stands. `queued` is a pending action that has been handed to the queue. */
export type ActionStatus = 'pending' | 'queued' | 'running' | 'done' | 'failed' | 'dead' | 'skipped' | 'cancelled';

/** A row to be written: the durable request to run one script for one change. */
export interface NewAction {
  /** UUID version 7, made by the writer: also the id of the BullMQ job. */
  readonly id: string;
  readonly scriptId: string;
  readonly scriptName: string;
  readonly scriptVersion: number;
  readonly change: Change;
  readonly userId: string | null;
  /** Who made the change: the application, or a script. */
  readonly origin: 'app' | 'script';
  readonly depth: number;
  readonly parentId: string | null;
  /** What the script's `dedupe`, `debounce` or `throttle` goes by; left out where it has none. */
  readonly gateKey?: string;
  /** Milliseconds until it may run, of a script with `debounce`. */
  readonly delayMs?: number;
  /** The trace that the write belongs to; left out where nobody traces. The same object for all of one transaction. */
  readonly trace?: TraceCarrier;
  /** `skipped` for a change that came too deep in a chain of scripts, else `pending`. */
  readonly status: 'pending' | 'skipped';
  readonly outcome?: string;
  readonly error?: ScriptError;
}

/** An action as it is read back. */
export interface ActionRecord {
  readonly id: string;
  readonly seq: string;
  readonly scriptId: string;
  readonly scriptName: string;
  readonly scriptVersion: number;
  readonly change: Change;
  readonly userId: string | null;
  readonly origin: 'app' | 'script';
  readonly depth: number;
  readonly parentId: string | null;
  readonly status: ActionStatus;
  readonly attempt: number;
  readonly createdAt: Date;
  readonly queuedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly outcome: Outcome | string | null;
  readonly error: ScriptError | null;
}
