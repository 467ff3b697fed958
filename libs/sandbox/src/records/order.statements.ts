import type { SqlStatement } from '../tenancy/tenancy.js';

/**
 * Who may run beside whom and before whom, decided in the tenant's database. The reasoning is in
 * docs/adr/0015-order-in-the-rows.md (tenants some of whose scripts ask for less order than one at a time) and
 * docs/adr/0017-commit-order-in-the-rows.md (all the others).
 */

/**
 * Whether action `a` is first in the line of its tenant: no unfinished one was committed before it was written. Those of
 * one transaction come as they were written; of two transactions that overlapped, neither is before the other. One that a
 * gate had wait has given up its place. A scalar with `order by`, which keeps the planner on the index of unfinished actions:
 * of an `exists` it would drop that, and read the whole table while it believes that to be small.
 */
export const FIRST_IN_LINE = `(select b.seq from sandbox_action b
  where b.finished_at is null and b.seq < a.seq and b.due_at is null
    and (b.written_by = a.written_by or pg_visible_in_snapshot(b.written_by, a.written_seeing))
  order by b.seq limit 1) is null`;

/**
 * Whether none of the actions just before `a` was finished while it ran, which took the milliseconds of that parameter: it
 * may have read what the other was about to change. A time to come is of a clock that was set back since.
 */
export const ranAlone = (ranMs: string): string => `not exists (select 1
  from (select c.finished_at from sandbox_action c where c.seq < a.seq order by c.seq desc limit 4) b
  where b.finished_at between clock_timestamp() - ${ranMs} * interval '1 millisecond' and clock_timestamp())`;

/** The scripts whose actions an action may not run beside, or overtake. */
export interface OrderKeys {
  /** Scripts all of whose actions it keeps apart from. */
  readonly apart: readonly string[];
  /** Scripts whose actions of the same record it keeps apart from. */
  readonly sameRecord: readonly string[];
}

/** What a claim in order came to. No row: finished, or leased by somebody else. */
export interface OrderedClaimRow {
  readonly attempt: number;
  /** The action that has to end first; null where the claim was made. */
  readonly waits_for: string | null;
}

/**
 * Serialises the decisions of one tenant until the transaction ends; a statement of its own, since one that waits for a
 * lock goes on with the snapshot it began with.
 */
export const lockOrder: SqlStatement = {
  name: 'sandbox_lock_order',
  text: `select pg_advisory_xact_lock(hashtextextended('nestjs-sandbox:order:' || current_schema(), 0))`,
};

const CONFLICTS = `(b.script_id = any($3::uuid[])
  or (b.script_id = any($4::uuid[]) and b.entity = me.entity and b.record_id = me.record_id))`;

/**
 * Claims an action for a run, or notes the action that it has to wait for: the last conflicting one before it, or, where
 * none is left, one behind it that is already at work. To be sent behind `lockOrder`.
 */
export function claimInOrder(actionId: string, leaseMs: number, { apart, sameRecord }: OrderKeys): SqlStatement {
  return {
    name: 'sandbox_claim_in_order',
    text: `with me as materialized (
  select id, seq, entity, record_id from sandbox_action
  where id = $1 and finished_at is null and (lease_until is null or lease_until < now())
), blocker as materialized (
  select me.id as action_id, coalesce(
    (select b.id from sandbox_action b where b.finished_at is null and b.seq < me.seq
       and (b.due_at is null or b.due_at <= now()) and ${CONFLICTS}
     order by b.seq desc limit 1),
    (select b.id from sandbox_action b where b.finished_at is null and b.lease_until > now() and b.seq > me.seq and ${CONFLICTS}
     limit 1)) as id
  from me
)
update sandbox_action a set waits_for = blocker.id,
  status = case when blocker.id is null then 'running' else a.status end,
  attempt = a.attempt + case when blocker.id is null then 1 else 0 end,
  lease_until = case when blocker.id is null then now() + $2 * interval '1 millisecond' end
from blocker where a.id = blocker.action_id
returning a.attempt, a.waits_for`,
    values: [actionId, leaseMs, apart, sameRecord],
  };
}

/** Whether action `a` still waits: the other is unfinished, and either comes first or is at work. */
export const STILL_WAITS = `exists (select 1 from sandbox_action b where b.id = a.waits_for and b.finished_at is null
  and (b.seq < a.seq and (b.due_at is null or b.due_at <= now()) or b.lease_until > now()))`;

/**
 * The jobs (`JobRow`) of actions that need not wait any more: those that waited for this one, and this one itself. Asked
 * by whoever ends an action after that is committed, and by whoever steps aside after its note is: so of the two, at least
 * the later one sees what the other did.
 */
export function freedBy(actionId: string): SqlStatement {
  return {
    name: 'sandbox_freed_by',
    text: `select id, script_id, script_version, entity, operation, record_id, change, user_id, depth, created_at, trace
from sandbox_action a
where (waits_for = $1 or (id = $1 and waits_for is not null)) and finished_at is null and not ${STILL_WAITS}
order by seq`,
    values: [actionId],
  };
}
