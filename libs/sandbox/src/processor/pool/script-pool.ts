import type { SandboxEventMap } from '../../events/sandbox-events.js';
import type { BridgeCall, BridgeReply, DeferredCall } from '../../protocol/bridge-call.js';
import type { Limits } from '../../protocol/limits.js';
import type { RunInput, RunResult } from '../../protocol/run.js';
import type { CompiledScript } from '../../protocol/script.js';
import type { WrittenReply } from './wire.js';

/** One run as the pool takes it. */
export interface PoolRun {
  readonly script: CompiledScript;
  /** The author's source, for error frames. */
  readonly source: string;
  /** What the script sees as `context.tenantId`; the thread never sends it back. */
  readonly tenantId: string;
  readonly input: RunInput;
  readonly limits: Readonly<Limits>;
  /** Bridge methods the script gets: `query`, `execute`, `sendEmail`, `<service>.<method>`. */
  readonly methods: readonly string[];
  /** Host methods declared free of side effects: calling one does not flush deferred calls. */
  readonly pureMethods?: readonly string[];
  /** Whether `execute` and `sendEmail` may wait in the thread (decision 7). False: every call crosses at once. */
  readonly deferred: boolean;
  /**
   * Answers a call, `text` being its JSON. Never rejects; `signal()` aborts when the run has ended. Calls of one run come
   * one at a time. Where the answer was written elsewhere, it is handed on as it is.
   */
  readonly onCall: (call: BridgeCall, signal: () => AbortSignal, text: string) => Promise<BridgeReply | WrittenReply>;
  /** Ends the run as `cancelled`. */
  readonly signal?: AbortSignal;
}

/** A run's result, and the calls that were still waiting in the thread when it ended (only of an `ok` run). */
export interface PoolResult extends RunResult {
  readonly deferred: readonly DeferredCall[];
  /** Set where the script ended with `throw new RetryLater(message, { afterMs })`: `afterMs`, 0 where it named none. */
  readonly retryAfterMs?: number;
}

/** Why a thread of a pool is gone; see the event `thread.replaced`. */
export type ReplacedReason = SandboxEventMap['thread.replaced']['reason'];

/** Told of every thread, or process, that is gone; `error`: what it died of. */
export type ReplacedListener = (reason: ReplacedReason, error?: Error) => void;

/** What the pool is doing now. */
export interface PoolStats {
  readonly threads: number;
  readonly busy: number;
  readonly waiting: number;
}

/**
 * Owns the threads: one run per thread at a time, a deadline on every run, a dead thread replaced.
 * `run` never rejects and never hangs past the run's limits.
 */
export interface ScriptPool {
  run(run: PoolRun): Promise<PoolResult>;
  stats(): PoolStats;
  /** Takes no more runs, waits for those in flight (at most `drainMs`, then they end as `cancelled`), ends the threads. */
  close(drainMs?: number): Promise<void>;
}

/** Injection token of the `ScriptPool`. */
export const SCRIPT_POOL = Symbol.for('nestjs-sandbox:script-pool');
