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
  return changes.flatMap((change) =>
    index.match(change).map((script) => planAction(script, change, origin, depthLimit)),
  );
}

function planAction(script: ScriptVersion, change: Change, origin: ChangeOrigin, depthLimit: number): NewAction {
  const action = {
    id: uuidv7(),
    scriptId: script.scriptId,
    scriptName: script.name,
    scriptVersion: script.version,
    change,
    ...origin,
    ...gateOf(script, change),
  };
  if (origin.depth < depthLimit) return { ...action, status: 'pending' };
  const message = `The change of ${change.entity} ${change.recordId} came at depth ${origin.depth} of a chain of scripts; the limit is ${depthLimit}. Script "${script.name}" was not run.`;
  return {
    ...action,
    status: 'skipped',
    outcome: 'chainTooDeep',
    error: { name: 'ChainTooDeepError', message, code: 'SANDBOX_CHAIN_TOO_DEEP' },
  };
}

function gateOf(script: ScriptVersion, change: Change): Pick<NewAction, 'gateKey' | 'delayMs'> {
  const gateKey = gateKeyOf(script, change);
  if (gateKey === undefined) return {};
  return script.debounce ? { gateKey, delayMs: script.debounce.delayMs } : { gateKey };
}
