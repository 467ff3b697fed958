import type { Change, Operation } from '../protocol/change.js';
import type { TenantLease } from '../tenancy/tenancy.js';
import type { ScriptVersion } from './script.js';

/** The enabled scripts of one tenant by what fires them. Immutable; a deploy makes a new one. */
export interface TriggerIndex {
  readonly tenantId: string;
  /** The tenant's revision this index was read at. */
  readonly revision: number;
  /** When any of the tenant's scripts was last changed, on the clock of `performance.now()`; may lie before its start. */
  readonly changedAt: number;
  /** Every script, enabled or not. */
  readonly scripts: readonly ScriptVersion[];
  /** Whether any script listens to the entity at all (for one operation, or any). A few nanoseconds. */
  listens(entity: string, operation?: Operation): boolean;
  /** The scripts that fire for the change, in order of name; `when` conditions tested. */
  match(change: Change): readonly ScriptVersion[];
  /** The current version of a script, enabled or not; `undefined` once deleted. */
  script(scriptId: string): ScriptVersion | undefined;
}

/**
 * The scripts in force, per tenant, cached. A deploy anywhere is in force here within a second: deploys are announced
 * through the queue backend, and where that cannot be reached nothing cached is trusted.
 */
export interface ScriptRegistry {
  /** The index if it is cached and trusted. Costs no statement. */
  cached(tenantId: string): TriggerIndex | undefined;
  /** The index in force; reads the tenant's database only when nothing trusted is cached. Single flight per tenant. */
  load(lease: TenantLease): Promise<TriggerIndex>;
}

/** Injection token of the `ScriptRegistry`. */
export const SCRIPT_REGISTRY = Symbol.for('nestjs-sandbox:script-registry');
