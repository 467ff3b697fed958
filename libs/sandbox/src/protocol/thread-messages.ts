import type { Limits } from './limits.js';
import type { RawError } from './raw-error.js';
import type { LogLine, Outcome } from './run.js';
import type { EngineId } from './script.js';

/** What a thread is started with. */
export interface ThreadData {
  readonly mailbox: SharedArrayBuffer;
  /** A `LogTail`'s memory. */
  readonly logs: SharedArrayBuffer;
  /** The engine to have ready before the first run; the other one is loaded when a script asks for it. */
  readonly engine: EngineId;
  /** The compiled QuickJS module (a `WebAssembly.Module`), compiled once a process. */
  readonly wasm: unknown;
}

/**
 * What a thread posts through its port besides: `null` says "look into the mailbox", `[run, text]` is the text of the
 * mailbox's message that did not fit, and the run it is about.
 */
export const PORT = {
  /** Idle again, after a result that said `settles`. */
  idle: 1,
  /** As `idle`, but the thread asks to be replaced by a new one. */
  replace: 2,
} as const;

/** First line of a `run` message; the code and the input follow on lines of their own. */
export interface RunHeader {
  readonly engine: EngineId;
  readonly hash: string;
  readonly async: boolean;
  readonly limits: Readonly<Limits>;
  readonly methods: readonly string[];
  readonly pureMethods: readonly string[];
  readonly deferred: boolean;
}

/** First line of a `result` message; value and deferred calls follow, as the JSON text the guest made. */
export interface RunReport {
  readonly outcome: Outcome;
  readonly logs: readonly LogLine[];
  readonly error?: RawError;
  readonly retryAfterMs?: number;
  readonly cpuMs: number;
  readonly peakMemoryBytes?: number;
  /** The thread cleans up after this run, and says `PORT.idle` or `PORT.replace` when it is done. */
  readonly settles?: boolean;
}
