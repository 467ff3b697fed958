import { debounceGate, dedupeGate, type GateRow, throttleGate } from '../../records/gate.statements.js';
import { lockOrder } from '../../records/order.statements.js';
import type { ScriptVersion } from '../../scripts/script.js';
import type { SqlStatement, TenantLease } from '../../tenancy/tenancy.js';

/** What a script's gate says of an action. */
export type GateVerdict = { readonly kind: 'run' } | HeldBack;

/** Why an action does not run, or not now. */
export type HeldBack =
  | { readonly kind: 'skip'; readonly reason: string }
  | { readonly kind: 'wait'; readonly delayMs: number }
  /** Finished, or leased by somebody else. */
  | { readonly kind: 'superseded' };

/**
 * Asks the gate of a script with `dedupe`, `debounce` or `throttle`; `undefined` for one without. `ordered`: the script
 * wants its actions in order.
 */
export function passGate(
  lease: TenantLease,
  actionId: string,
  script: ScriptVersion,
  ordered: boolean,
): Promise<GateVerdict> | undefined {
  const statement = gateStatement(actionId, script, ordered);
  return statement && decide(lease, statement);
}

function gateStatement(
  actionId: string,
  { dedupe, debounce, throttle }: ScriptVersion,
  ordered: boolean,
): SqlStatement | undefined {
  if (dedupe) return dedupeGate(actionId, dedupe.windowMs);
  if (debounce) return debounceGate(actionId, debounce.delayMs);
  return throttle && throttleGate(actionId, throttle.windowMs, throttle.limit, ordered);
}

async function decide(lease: TenantLease, statement: SqlStatement): Promise<GateVerdict> {
  const answers = await lease.sql.transaction([lockOrder, statement]);
  const row = answers[1]?.rows[0] as GateRow | undefined;
  if (!row) return { kind: 'superseded' };
  if (row.verdict === 'run') return { kind: 'run' };
  if (row.verdict === 'skip')
    return { kind: 'skip', reason: `another action with the same key took its place: ${row.by}` };
  return { kind: 'wait', delayMs: Math.max(1, row.wait_ms ?? 1) };
}
