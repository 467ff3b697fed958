import { v7 as uuidv7 } from 'uuid';
import type { Change } from '../protocol/change.js';
import type { TraceCarrier } from '../protocol/trace.js';
import type { NewAction } from '../records/action.record.js';
import { gateKeyOf } from './gate-key.js';
import type { ScriptVersion } from './script.js';
import type { TriggerIndex } from './script-registry.js';

/** Who made a change, and how far down a chain of scripts it is. */
export interface ChangeOrigin {
  readonly userId: string | null;
  readonly origin: 'app' | 'script';
  /** 0 for the application; for a script one more than its own run's depth. */
  readonly depth: number;
  /** The action whose script made the change. */
  readonly parentId: string | null;
  /** The trace that the change belongs to; left out where nobody traces. */
  readonly trace?: TraceCarrier;
}

/** The actions that changes ask for: one per change and matching script, in the order of the changes. */
export function planActions(
  index: TriggerIndex,
  changes: readonly Change[],
  origin: ChangeOrigin,
  depthLimit: number,
): NewAction[] {
  const actions: NewAction[] = [];
  for (const change of changes) {
    for (const script of index.match(change)) actions.push(planAction(script, change, origin, depthLimit));
  }
  return actions;
}

/** Field by field: for 1,000 changes at once, copying one object into the next cost as much again. */
function planAction(script: ScriptVersion, change: Change, origin: ChangeOrigin, depthLimit: number): NewAction {
  const action: NewAction = {
    id: uuidv7(),
    scriptId: script.scriptId,
    scriptName: script.name,
    scriptVersion: script.version,
    change,
    userId: origin.userId,
    origin: origin.origin,
    depth: origin.depth,
    parentId: origin.parentId,
    trace: origin.trace,
    status: 'pending',
  };
  const gateKey = gateKeyOf(script, change);
  const tooDeep = origin.depth >= depthLimit;
  if (gateKey === undefined && !tooDeep) return action;
  const gated = gateKey === undefined ? action : { ...action, gateKey, delayMs: script.debounce?.delayMs };
  return tooDeep ? { ...gated, ...chainTooDeep(script, change, origin.depth, depthLimit) } : gated;
}

function chainTooDeep(
  script: ScriptVersion,
  change: Change,
  depth: number,
  depthLimit: number,
): Pick<NewAction, 'status' | 'outcome' | 'error'> {
  const message = `The change of ${change.entity} ${change.recordId} came at depth ${depth} of a chain of scripts; the limit is ${depthLimit}. Script "${script.name}" was not run.`;
  return {
    status: 'skipped',
    outcome: 'chainTooDeep',
    error: { name: 'ChainTooDeepError', message, code: 'SANDBOX_CHAIN_TOO_DEEP' },
  };
}
