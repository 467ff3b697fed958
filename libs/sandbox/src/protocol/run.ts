import type { JsonRecord, Operation } from './change.js';

/** The named ways a run can end. `internalError` is for our own faults, never for something a script did. */
export type Outcome =
  | 'ok'
  | 'exception'
  | 'syntaxError'
  | 'exceededCpu'
  | 'exceededWall'
  | 'exceededMemory'
  | 'exceededCalls'
  | 'exceededOutput'
  | 'cancelled'
  | 'internalError';

/** Every outcome. */
export const OUTCOMES: readonly Outcome[] = [
  'ok',
  'exception',
  'syntaxError',
  'exceededCpu',
  'exceededWall',
  'exceededMemory',
  'exceededCalls',
  'exceededOutput',
  'cancelled',
  'internalError',
];

/** The level of a log line; `log(...)` writes `info`. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** One line of a script's log. */
export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
}

/** What ended a run that did not end well, in the author's own terms. */
export interface ScriptError {
  /** `TypeError`, `SyntaxError`, or the `name` of whatever was thrown. */
  readonly name: string;
  readonly message: string;
  /** Machine-readable cause where there is one: of a failed bridge call, or a thrown error's own string `code`. */
  readonly code?: string;
  /** 1-based line of the author's source, where known. */
  readonly line?: number;
  /** 1-based column of the author's source, where known. */
  readonly column?: number;
  /** The source around the position, with a caret below the column. */
  readonly frame?: string;
  /** The call stack in positions of the author's source; never a host path. */
  readonly stack?: string;
}

/** What a run used. */
export interface Usage {
  /** Milliseconds inside the script. */
  readonly cpuMs: number;
  /** Milliseconds from start to end. */
  readonly wallMs: number;
  /** Milliseconds waiting for the bridge. */
  readonly waitMs: number;
  /** Peak of the sandbox's memory, where the engine can tell. */
  readonly peakMemoryBytes?: number;
  /** Bridge calls made. */
  readonly calls: number;
}

/** What became of a run. */
export interface RunResult {
  readonly outcome: Outcome;
  /** What `setResult` was given, else the value of the last expression; JSON, `undefined` where there is none. */
  readonly value?: unknown;
  readonly logs: readonly LogLine[];
  readonly error?: ScriptError;
  readonly usage: Usage;
}

/** What a script sees as `context`, apart from the bridge: plain data. */
export interface RunInput {
  readonly entity?: string;
  readonly operation?: Operation;
  readonly record?: JsonRecord;
  readonly prevRecord?: JsonRecord;
  readonly changed?: readonly string[];
  readonly userId?: string | null;
  /** `context.action`: about the action that asked for this run. */
  readonly action?: JsonRecord;
}
