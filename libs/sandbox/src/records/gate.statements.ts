import type { SqlStatement } from '../tenancy/tenancy.js';

/**
 * Which actions of a script run at all, and when, for scripts with `dedupe`, `debounce` or `throttle`. Decided in the
 * tenant's database when an action's turn has come, behind `lockOrder`: so two processors never decide at once, and what
 * was decided stays. `admitted_at` says that an action may run, or, with `due_at` in the future, when.
 */

/** What a gate came to. No row: nothing to decide, the action is finished or at work. */
export interface GateRow {
  readonly verdict: 'run' | 'skip' | 'wait';
  /** Milliseconds to wait, by the database's clock. */
  readonly wait_ms: number | null;
  /** The action that took this one's place. */
  readonly by: string | null;
}

const ME = `me as materialized (
  select id, seq, script_id, gate_key, created_at, admitted_at, due_at from sandbox_action
  where id = $1 and finished_at is null and (lease_until is null or lease_until < now())
)`;
const PASSED = '(me.gate_key is null or (me.admitted_at is not null and me.due_at is null))';
const ALIKE = 'b.script_id = me.script_id and b.gate_key = me.gate_key and b.id <> me.id';

/** Ends the action, with what the author reads, or lets it run, or has it wait until `due`. */
const DECIDE = `
update sandbox_action a set
  status = case verdict when 'skip' then 'skipped' else a.status end,
  outcome = case verdict when 'skip' then $3::text else a.outcome end,
  error = case verdict when 'skip' then jsonb_build_object('name', 'SkippedError', 'code', $4::text, 'message', $5::text || ' ' || decision.by::text) else a.error end,
  finished_at = case verdict when 'skip' then now() end,
  admitted_at = case verdict when 'run' then coalesce(case when a.due_at is null then a.admitted_at end, clock_timestamp()) else decision.admit end,
  due_at = case verdict when 'wait' then decision.due end
from decision where a.id = decision.id
returning verdict, ceil(extract(epoch from decision.due - clock_timestamp()) * 1000)::float8 as wait_ms, decision.by`;

/**
 * First wins: an action is skipped when another one with its key was let through, created less than `windowMs` before it
 * (or behind it, where its own transaction committed late). One before it that is undecided has to end first (`wait`).
 */
export function dedupeGate(actionId: string, windowMs: number): SqlStatement {
  return {
    name: 'sandbox_dedupe',
    text: `with ${ME}, decision as materialized (
  select me.id, null::timestamptz as admit, clock_timestamp() + interval '250 milliseconds' as due, winner.id as by,
    case when ${PASSED} then 'run' when winner.id is not null then 'skip' when exists (
      select 1 from sandbox_action b where ${ALIKE} and b.admitted_at is null and b.finished_at is null and b.seq < me.seq
        and b.created_at > me.created_at - $2 * interval '1 millisecond') then 'wait' else 'run' end as verdict
  from me left join lateral (
    select b.id from sandbox_action b where ${ALIKE} and b.admitted_at is not null
      and b.created_at > me.created_at - $2 * interval '1 millisecond'
      and b.created_at < me.created_at + $2 * interval '1 millisecond' order by b.seq limit 1) winner on true
)${DECIDE}`,
    values: [
      actionId,
      windowMs,
      'deduplicated',
      'SANDBOX_DEDUPLICATED',
      `An action with the same key came first, within ${windowMs} ms:`,
    ],
  };
}

/** Last wins: an action runs `delayMs` after it was written, unless another one with its key was written by then. */
export function debounceGate(actionId: string, delayMs: number): SqlStatement {
  return {
    name: 'sandbox_debounce',
    text: `with ${ME}, decision as materialized (
  select me.id, null::timestamptz as admit, me.created_at + $2 * interval '1 millisecond' as due, winner.id as by,
    case when ${PASSED} then 'run' when winner.id is not null then 'skip'
      when me.created_at + $2 * interval '1 millisecond' > clock_timestamp() then 'wait' else 'run' end as verdict
  from me left join lateral (
    select b.id from sandbox_action b where ${ALIKE} and b.seq > me.seq
      and b.created_at < me.created_at + $2 * interval '1 millisecond' order by b.seq desc limit 1) winner on true
)${DECIDE}`,
    values: [
      actionId,
      delayMs,
      'debounced',
      'SANDBOX_DEBOUNCED',
      `A newer action with the same key came within ${delayMs} ms:`,
    ],
  };
}

/**
 * `limit` in `windowMs`, the rest wait: an action takes the first free place behind those that began and those that wait
 * before it. Its place is checked again when it comes up, against when the others really began. `ordered`: those that wait
 * before it begin first; it looks for that every 20 ms while one of them is late.
 */
export function throttleGate(actionId: string, windowMs: number, limit: number, ordered: boolean): SqlStatement {
  return {
    name: 'sandbox_throttle',
    text: `with ${ME}, decision as materialized (
  select me.id, place.at as admit, greatest(place.at, clock_timestamp() + interval '20 milliseconds') as due,
    null::uuid as by, case when ${PASSED} or (place.at <= clock_timestamp() and not ($7::boolean and exists (
      select 1 from sandbox_action b where ${ALIKE} and b.due_at is not null and b.finished_at is null and b.seq < me.seq
    ))) then 'run' else 'wait' end as verdict
  from me cross join lateral (
    select greatest(clock_timestamp(), max(taken.until)) as at from (
      select b.admitted_at + $2 * interval '1 millisecond' as until from sandbox_action b
      where ${ALIKE} and b.admitted_at is not null
        and (b.due_at is null or (b.admitted_at, b.seq) < (coalesce(me.admitted_at, 'infinity'), me.seq))
      order by b.admitted_at desc offset $6::integer - 1 limit 1) taken) place
)${DECIDE}`,
    // It is never skipped: the three in the middle are not used.
    values: [actionId, windowMs, null, null, null, limit, ordered],
  };
}
