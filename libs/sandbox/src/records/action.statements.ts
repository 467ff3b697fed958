import type { ActionJob } from '../protocol/job.js';
import type { TraceCarrier } from '../protocol/trace.js';
import type { NewAction } from './action.record.js';
import { STILL_WAITS } from './order.statements.js';

/** One statement, as `pg` takes it; `name` makes it a prepared one. */
export interface ActionStatement {
  readonly name: string;
  readonly text: string;
  readonly values: unknown[];
}

/** JSON that PostgreSQL's jsonb takes: it refuses the one character U+0000, which a `json` column may hold. */
function toJsonb(value: unknown): string {
  const json = JSON.stringify(value);
  return json.includes('\\u0000') ? json.replaceAll(/(?<!\\)((?:\\\\)*)\\u0000/g, '$1\\ufffd') : json;
}

/**
 * Inserts actions, in order, as one statement. It writes nothing unless the transaction has written before:
 * where a ROLLBACK came first (a subscriber of the host failed meanwhile) the statement stands alone, and would commit
 * actions of a write that never was.
 */
export function insertActions(actions: readonly NewAction[]): ActionStatement {
  const [first] = actions;
  const gated = actions.some(({ gateKey }) => gateKey !== undefined);
  if (first?.status === 'pending' && actions.length === 1 && !gated) return insertAction(first);
  if (first && !gated && actions.every((action) => sameButRecord(action, first))) return insertAlike(actions, first);
  const rows = actions.map(({ change, ...action }) => ({
    id: action.id,
    script_id: action.scriptId,
    script_name: action.scriptName,
    script_version: action.scriptVersion,
    entity: change.entity,
    operation: change.operation,
    record_id: change.recordId,
    change: { record: change.record, prevRecord: change.prevRecord, changed: change.changed },
    user_id: action.userId,
    origin: action.origin,
    depth: action.depth,
    parent_id: action.parentId,
    status: action.status,
    outcome: action.outcome ?? null,
    error: action.error ?? null,
    gate_key: action.gateKey ?? null,
    delay_ms: action.delayMs ?? null,
    trace: action.trace ?? null,
  }));
  return { name: 'sandbox_insert_actions', text: INSERT_ACTIONS, values: [toJsonb(rows)] };
}

/** Whether two actions differ in their record only, as those of a bulk write with one listening script do. */
function sameButRecord(left: NewAction, right: NewAction): boolean {
  return (
    left.scriptId === right.scriptId &&
    left.scriptVersion === right.scriptVersion &&
    left.scriptName === right.scriptName &&
    left.change.entity === right.change.entity &&
    left.change.operation === right.change.operation &&
    left.status === 'pending' &&
    right.status === 'pending' &&
    left.userId === right.userId &&
    left.origin === right.origin &&
    left.depth === right.depth &&
    left.parentId === right.parentId &&
    left.trace === right.trace
  );
}

/** What the actions of one bulk write share. */
function sharedValues(action: NewAction): unknown[] {
  const { change, trace } = action;
  return [
    action.scriptId,
    action.scriptName,
    action.scriptVersion,
    change.entity,
    change.operation,
    action.userId,
    action.origin,
    action.depth,
    action.parentId,
    trace ? toJsonb(trace) : null,
  ];
}

/**
 * Actions that differ in their record only. What they share is sent once, the rest as lists for which PostgreSQL need not
 * take JSON apart: JSON holds no line feed of its own. 1,000 rows of 450 bytes: 14 ms in PostgreSQL, 18 ms as an array of
 * JSON objects; half of it is the making of jsonb.
 */
function insertAlike(actions: readonly NewAction[], first: NewAction): ActionStatement {
  const ids = `{${actions.map(({ id }) => id).join(',')}}`;
  const recordIds = JSON.stringify(actions.map(({ change }) => change.recordId));
  const changes = actions.map(({ change }) => changeOf(change)).join('\n');
  return {
    name: 'sandbox_insert_alike',
    text: INSERT_ALIKE,
    values: [ids, recordIds, changes, ...sharedValues(first)],
  };
}

/** One action: a parameter per value is a sixth faster than taking lists apart, as long as it is one row. */
function insertAction(action: NewAction): ActionStatement {
  const { id, change } = action;
  const values = [id, change.recordId, changeOf(change), ...sharedValues(action)];
  return { name: 'sandbox_insert_action', text: INSERT_ACTION, values };
}

/** What the `change` column keeps; entity, operation and record id have columns of their own. */
function changeOf({ record, prevRecord, changed }: NewAction['change']): string {
  return toJsonb({ record, prevRecord, changed });
}

const COLUMNS = `id, script_id, script_name, script_version, entity, operation, record_id, change, user_id, origin, depth,
  parent_id, status, outcome, error, trace, finished_at, parked`;

/** Behind actions that are parked, an action is parked, too: in one snapshot with its insertion. */
const PARKED = '(select exists (select 1 from sandbox_action where parked and finished_at is null))';

/** One row for all that were inserted. */
const INSERTED = 'select count(*)::int as count, bool_or(parked) as parked, min(seq) as seq from inserted';

const ALIKE = `insert into sandbox_action (id, record_id, change, script_id, script_name, script_version, entity, operation, user_id,
  origin, depth, parent_id, trace, parked)`;
const SHARED = `$4::uuid, $5::text, $6::integer, $7::text, $8::text, $9::text, $10::text, $11::integer, $12::uuid, $13::jsonb, ${PARKED}`;

const INSERT_ACTION = `
${ALIKE}
select $1::uuid, $2::text, $3::jsonb, ${SHARED}
where txid_current_if_assigned() is not null
returning 1 as count, parked, seq`;

const INSERT_ALIKE = `
with inserted as (${ALIKE}
select id, record_id, change::jsonb, ${SHARED}
from rows from (unnest($1::uuid[]), json_array_elements_text($2::json), unnest(string_to_array($3, E'\\n')))
  as action (id, record_id, change)
where txid_current_if_assigned() is not null returning parked, seq)
${INSERTED}`;

const INSERT_ACTIONS = `
with inserted as (insert into sandbox_action (${COLUMNS}, gate_key, due_at)
select id, script_id, script_name, script_version, entity, operation, record_id, change, user_id,
  origin, depth, parent_id, status, outcome, error, trace, case when status = 'skipped' then now() end, ${PARKED}, gate_key,
  now() + delay_ms * interval '1 millisecond'
from jsonb_to_recordset($1::jsonb) as action (id uuid, script_id uuid, script_name text, script_version integer,
  entity text, operation text, record_id text, change jsonb, user_id text, origin text, depth integer, parent_id uuid,
  status text, outcome text, error jsonb, gate_key text, delay_ms float8, trace jsonb)
where txid_current_if_assigned() is not null returning parked, seq)
${INSERTED}`;

/** What `insertActions` answers, in one row; no row, or a count of 0, where nothing was inserted. */
export interface InsertedRow {
  readonly count: number;
  /** Whether the actions stay out of the queue until those before them have been handed over. */
  readonly parked: boolean | null;
  /** Number of the first one. */
  readonly seq: string | null;
}

/** Keeps actions out of the queue until the relay finds room for them. */
export function parkActions(actionIds: readonly string[]): ActionStatement {
  return {
    name: 'sandbox_park',
    text: 'update sandbox_action set parked = true where id = any($1::uuid[]) and finished_at is null',
    values: [actionIds],
  };
}

/** The queue has taken actions that were parked. */
export function unparkActions(actionIds: readonly string[]): ActionStatement {
  return {
    name: 'sandbox_unpark',
    text: 'update sandbox_action set parked = false, queued_at = now() where id = any($1::uuid[]) and parked',
    values: [actionIds],
  };
}

/** Notes that the queue has taken actions, where they are not finished already. */
export function markQueued(actionIds: readonly string[]): ActionStatement {
  return {
    name: 'sandbox_mark_queued',
    text: 'update sandbox_action set queued_at = now() where id = any($1::uuid[]) and finished_at is null',
    values: [actionIds],
  };
}

/** An unfinished action, as the relay reads it. */
export interface WaitingRow {
  readonly id: string;
  readonly seq: string;
  /** Whether the queue has to know it by now: see `waitingActions`. */
  readonly ripe: boolean;
  /** Whether the queue is to be asked about it now: see `waitingActions`. */
  readonly due: boolean;
  readonly queued_at: Date | null;
  /** Whether any action of the tenant is parked. */
  readonly some_parked: boolean;
}

const RIPE = `(not parked and (due_at is null or due_at < now()) and not ${STILL_WAITS} and created_at < now() - $2 * interval '1 millisecond' and (lease_until is null or lease_until < now()))`;

const DUE = `(queued_at is null or now() - queued_at > least(greatest($2 * interval '1 millisecond', queued_at - created_at), interval '1 minute'))`;

/**
 * The first unfinished actions after `afterSeq`. One is `ripe` when it is older than `afterMs`, unless it is parked, at
 * work, or waits for its time or for another action (whoever ends that one hands it over). A ripe one is `due` when it was
 * never noted as queued, or that was noted longer ago than it had waited then: each look doubles the time to the next, up
 * to a minute, without a column for it.
 */
export function waitingActions(afterSeq: string, afterMs: number, limit: number): ActionStatement {
  return {
    name: 'sandbox_waiting_actions',
    text: `select id, seq, queued_at, ripe, ripe and ${DUE} as due, ${PARKED} as some_parked
from (select *, ${RIPE} as ripe from sandbox_action a
  where finished_at is null and status in ('pending', 'queued', 'running') and seq > $1 order by seq limit $3) a
order by seq`,
    values: [afterSeq, afterMs, limit],
  };
}

/** An action as it is turned back into a job. */
export interface JobRow {
  readonly id: string;
  readonly script_id: string;
  readonly script_version: number;
  readonly entity: string;
  readonly operation: 'create' | 'update' | 'delete';
  readonly record_id: string;
  readonly change: Pick<NonNullable<ActionJob['change']>, 'record' | 'prevRecord' | 'changed'>;
  readonly user_id: string | null;
  readonly depth: number;
  readonly created_at: Date;
  readonly trace: TraceCarrier | null;
}

const JOB_COLUMNS =
  'id, script_id, script_version, entity, operation, record_id, change, user_id, depth, created_at, trace';

/** The first of the parked actions, as jobs. */
export function parkedActions(limit: number): ActionStatement {
  return {
    name: 'sandbox_parked_actions',
    text: `select ${JOB_COLUMNS} from sandbox_action where parked and finished_at is null order by seq limit $1`,
    values: [limit],
  };
}

/**
 * The first of the unfinished actions up to this one, as jobs, in the order in which they were written; without those
 * that a gate has wait. The action itself is the last of them, unless there are more than `limit` or it is finished.
 */
export function lineUpTo(actionId: string, limit: number): ActionStatement {
  return {
    name: 'sandbox_line_up_to',
    text: `select ${JOB_COLUMNS}, parked from sandbox_action
where finished_at is null and due_at is null and seq <= (select seq from sandbox_action where id = $1)
order by seq limit $2`,
    values: [actionId, limit],
  };
}

/** What jobs are made of, in the order in which the actions were written. */
export function actionsForJobs(actionIds: readonly string[]): ActionStatement {
  return {
    name: 'sandbox_actions_for_jobs',
    text: `select ${JOB_COLUMNS}
from sandbox_action where id = any($1::uuid[]) and finished_at is null order by seq`,
    values: [actionIds],
  };
}
