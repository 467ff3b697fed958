import type { Operation } from '../protocol/change.js';
import type { Limits } from '../protocol/limits.js';
import type { CompiledScript, EngineId, Language } from '../protocol/script.js';

/**
 * A declarative condition on a change, tested before an action row is written. `record` and `prevRecord` take the same
 * operators as a query's `where`; `changed` asks that at least one of these properties changed.
 */
export interface TriggerCondition {
  readonly changed?: readonly string[];
  readonly record?: Readonly<Record<string, unknown>>;
  readonly prevRecord?: Readonly<Record<string, unknown>>;
}

/** Which actions of a tenant may run side by side: none, those of different records, or all. */
export type Order = 'tenant' | 'record' | 'none';

/** The first action with a key wins: others that are written within `windowMs` milliseconds of it are skipped. */
export interface Dedupe {
  /** Fields of the record. Default: its id. */
  readonly key?: readonly string[];
  readonly windowMs: number;
}

/** The last action with a key wins: it runs `delayMs` milliseconds after it was written, unless a newer one was by then. */
export interface Debounce {
  /** Fields of the record. Default: its id. */
  readonly key?: readonly string[];
  readonly delayMs: number;
}

/** At most `limit` actions of the script begin in any `windowMs` milliseconds; the rest wait, in order. */
export interface Throttle {
  readonly limit: number;
  readonly windowMs: number;
}

/** What a version of a script says besides its source. */
export interface ScriptDefinition {
  /** Trigger name of the entity. */
  readonly entity: string;
  readonly on: readonly Operation[];
  readonly when?: TriggerCondition;
  readonly order?: Order;
  /** Not together with `debounce` or `throttle`. */
  readonly dedupe?: Dedupe;
  /** Not together with `dedupe` or `throttle`. */
  readonly debounce?: Debounce;
  /** Not together with `dedupe` or `debounce`. */
  readonly throttle?: Throttle;
  readonly engine?: EngineId;
  readonly limits?: Partial<Limits>;
  /** Times a failed run is repeated. Default 0. */
  readonly retries?: number;
}

/** One deployed text of a script, ready to run. */
export interface ScriptVersion extends ScriptDefinition {
  readonly scriptId: string;
  readonly name: string;
  readonly version: number;
  readonly enabled: boolean;
  readonly language: Language;
  readonly source: string;
  readonly compiled: CompiledScript;
}
