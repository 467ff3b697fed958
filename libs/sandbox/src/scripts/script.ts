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

/** What a version of a script says besides its source. */
export interface ScriptDefinition {
  /** Trigger name of the entity. */
  readonly entity: string;
  readonly on: readonly Operation[];
  readonly when?: TriggerCondition;
  readonly order?: Order;
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
