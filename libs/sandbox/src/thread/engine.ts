import type { Limits } from '../protocol/limits.js';
import type { RawError } from '../protocol/raw-error.js';
import type { LogLevel, Outcome, RunInput } from '../protocol/run.js';
import type { CompiledScript, EngineId } from '../protocol/script.js';

/** What `EngineRun.input` holds as JSON: the run's input and the two names of its tenant. */
export interface GuestInput extends RunInput {
  readonly tenantId: string;
}

/**
 * One run, as `thread.main` hands it to an engine. Everything that crosses between host and guest is JSON *text*: an
 * engine whose guest can parse and write JSON itself (quickjs) never makes host objects of it.
 */
export interface EngineRun {
  readonly script: CompiledScript;
  /** JSON text of a `GuestInput`. Trusted to be valid JSON; its content is the tenant's. */
  readonly input: string;
  readonly limits: Readonly<Limits>;
  /** Bridge methods the script gets: `query`, `execute`, `sendEmail`, `<service>.<method>`. No others may exist. */
  readonly methods: readonly string[];
  /** Methods that do not carry buffered calls with them (host methods without side effects). */
  readonly pureMethods: readonly string[];
  /**
   * Whether `execute` and `sendEmail` may wait in the guest until somebody looks at their result. An engine that cannot
   * make a lazy array may let `execute` cross at once (with whatever is buffered); `sendEmail`, which always returns 1,
   * it must still buffer.
   */
  readonly deferred: boolean;

  /**
   * Hands a call to the host and blocks the thread until it is answered; never throws. `request` is the JSON text of a
   * `BridgeCall` (a look at a lazy result is the call `{"method":"flush","args":[],"deferred":[...]}`).
   *
   * Returns the JSON text of a `BridgeReply`, whose `error` the engine throws in the guest as an ordinary `Error`.
   * Returns `undefined` where the host has ended the run: the engine has to stop the guest at once, uncatchably, and to
   * return; whatever it returns then is dropped (`cancelled` is a good outcome to give).
   *
   * The host counts calls and sizes; an engine need not. Time spent in here is no CPU time of the run.
   */
  call(request: string): string | undefined;

  /** Keeps a line of log. Never throws, never blocks. The oldest lines go first past `limits.logBytes`. */
  log(level: LogLevel, message: string): void;

  /** Milliseconds this run has spent inside the script so far; stands still during `call`. Past `limits.cpuMs`: stop. */
  cpuMs(): number;
}

/** How a run ended, as an engine tells it. */
export interface EngineResult {
  /** Any outcome but `exceededWall` and `exceededCalls`, which are the host's to give. */
  readonly outcome: Outcome;
  /** JSON text of the value; left out where there is none (`undefined`, a function, a symbol) and unless `ok`. */
  readonly value?: string;
  /** JSON text of a `DeferredCall[]`: what is still buffered, oldest first. Only of an `ok` run. */
  readonly deferred?: string;
  /** Unless `ok`. Positions are positions of `script.code` (1-based line and column): wrappers must not show. */
  readonly error?: RawError;
  /** Set where the script ended with `throw new RetryLater(message, { afterMs })`: `afterMs`, 0 where it named none. */
  readonly retryAfterMs?: number;
  /** Peak of the sandbox's memory in bytes, where the engine can tell. */
  readonly peakMemoryBytes?: number;
  /** Set where `settle` has work to do. The pool gives the thread no run until that is done. */
  readonly settles?: boolean;
}

/**
 * Runs compiled scripts in sandboxes, one at a time, inside one worker thread. Created once a thread, by
 * `create<Name>Engine(): ScriptEngine | Promise<ScriptEngine>`.
 *
 * What every engine promises (`testing/engine-contract.ts` holds the cases):
 * - Every run starts from the same pristine state, whatever the runs before it did. Nothing of a run is left behind.
 * - Neither `load` nor `run` throws for anything a script contains or does: that is an outcome. A throw is the
 *   engine's own fault; the host then records `internalError` and replaces the thread.
 * - A guest sees what the contract's "What a script sees" lists, and nothing of Node or of the thread.
 * - `run` returns soon after `cpuMs()` passed `limits.cpuMs`, with `exceededCpu` (the host ends the thread 50 ms later).
 * - Top-level `await`, and a script whose value is a promise, are waited for; a promise that nothing can settle any
 *   more is an `exception` that says so.
 */
export interface ScriptEngine {
  readonly id: EngineId;

  /**
   * Awaited before every `run` of the script: the place for what has to be asynchronous (a sandbox of that memory size)
   * and for compiling and caching by `script.hash`. Cheap where the script was seen before. A script that does not
   * compile is reported by `run`, as `syntaxError`.
   */
  load(script: CompiledScript, limits: Readonly<Limits>): void | Promise<void>;

  /** Drops what `load` cached for a script. Unknown hashes are ignored. An engine also bounds its cache by itself. */
  forget(hash: string): void;

  /** Runs a loaded script to its end, synchronously. */
  run(run: EngineRun): EngineResult;

  /**
   * Awaited after a result with `settles` has been handed to the host: the place for cleaning up that need not hold the
   * result back. Returns false where the thread should be replaced by a new one (memory that cannot be given back).
   */
  settle?(): boolean | Promise<boolean>;
}
