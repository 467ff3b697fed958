import type { Change } from '../protocol/change.js';
import type { ScriptError } from '../protocol/run.js';
import type { TraceCarrier } from '../protocol/trace.js';
import type { ActionStatus } from './action.record.js';

/** A row of `sandbox_action` as the statements here return it. */
export interface ActionRow {
  readonly id: string;
  readonly seq: string;
  readonly script_id: string;
  readonly script_name: string;
  readonly script_version: number;
  readonly entity: string;
  readonly operation: Change['operation'];
  readonly record_id: string;
  /** Only where the statement asks for it. */
  readonly change?: Pick<Change, 'record' | 'prevRecord' | 'changed'>;
  readonly user_id: string | null;
  readonly origin: 'app' | 'script';
  readonly depth: number;
  readonly parent_id: string | null;
  /** `queued` where a pending action was handed to the queue. */
  readonly status: ActionStatus;
  readonly attempt: number;
  readonly created_at: Date;
  readonly queued_at: Date | null;
  readonly finished_at: Date | null;
  readonly outcome: string | null;
  readonly error: ScriptError | null;
  readonly trace: TraceCarrier | null;
}

/** A row of `sandbox_execution`. */
export interface ExecutionRow {
  readonly id: string;
  readonly attempt: number;
  readonly script_version: number;
  readonly outcome: string;
  readonly value: unknown;
  readonly error: ScriptError | null;
  readonly logs: unknown;
  readonly usage: unknown;
  readonly started_at: Date;
  readonly finished_at: Date;
}

/** A row of `sandbox_email`. */
export interface EmailRow {
  readonly id: string;
  readonly message: Record<string, unknown>;
  readonly message_id: string;
  readonly status: string;
  readonly attempts: number;
  readonly created_at: Date;
  readonly sent_at: Date | null;
  readonly error: string | null;
}

/** What a list is narrowed to; `before` is the `seq` of the last action already seen. */
export interface ActionFilter {
  readonly status?: ActionStatus;
  readonly script?: string;
  readonly entity?: string;
  readonly before?: string;
  readonly limit: number;
}

const COLUMNS = `id, seq, script_id, script_name, script_version, entity, operation, record_id, user_id, origin, depth,
  parent_id, case when status = 'pending' and queued_at is not null then 'queued' else status end as status, attempt,
  created_at, queued_at, finished_at, outcome, error, trace`;

/** Actions, the newest first, without their images. A script is found by its id, whose index is in the same order. */
export function listActions(filter: ActionFilter) {
  const values: unknown[] = [];
  const value = (given: unknown) => `$${values.push(given)}`;
  const conditions = [
    filter.before === undefined ? undefined : `seq < ${value(filter.before)}`,
    filter.script === undefined
      ? undefined
      : `script_id = (select id from sandbox_script where name = ${value(filter.script)})`,
    filter.entity === undefined ? undefined : `entity = ${value(filter.entity)}`,
    filter.status === undefined ? undefined : statusCondition(filter.status, value),
  ].filter((condition) => condition !== undefined);
  const where = conditions.length ? `where ${conditions.join(' and ')}` : '';
  return {
    text: `select ${COLUMNS} from sandbox_action ${where} order by seq desc limit ${value(filter.limit)}`,
    values,
  };
}

function statusCondition(status: ActionStatus, value: (given: unknown) => string): string {
  const stored = `status = ${value(status === 'queued' ? 'pending' : status)}`;
  if (status === 'pending') return `${stored} and finished_at is null and queued_at is null`;
  if (status === 'queued') return `${stored} and finished_at is null and queued_at is not null`;
  return status === 'running' ? `${stored} and finished_at is null` : stored;
}

/** One action with its images. */
export const actionById = (id: string) => ({
  text: `select ${COLUMNS}, change from sandbox_action where id = $1`,
  values: [id],
});

/** The runs of an action, the first one first. */
export const executionsOf = (actionId: string) => ({
  text: `select id, attempt, script_version, outcome, value, error, logs, usage, started_at, finished_at
from sandbox_execution where action_id = $1 order by finished_at, id`,
  values: [actionId],
});

/** The mails of an action, in the order in which its script sent them. */
export const emailsOf = (actionId: string) => ({
  text: `select id, message, message_id, status, attempts, created_at, sent_at, error
from sandbox_email where action_id = $1 order by seq`,
  values: [actionId],
});

/** Lets an action that ended badly run again, behind what was written meanwhile; no row where it is in another state. */
export const retryAction = (id: string) => ({
  text: `update sandbox_action set status = 'pending', queued_at = null, lease_until = null, finished_at = null,
  outcome = null, error = null, written_by = pg_current_xact_id(), written_seeing = pg_current_snapshot()
where id = $1 and status in ('failed', 'dead', 'cancelled') returning ${COLUMNS}, change`,
  values: [id],
});

/** Gives up an unfinished action; no row where it is finished. Whoever runs it finds no row to finish. */
export const cancelAction = (id: string) => ({
  text: `update sandbox_action set status = 'cancelled', outcome = 'cancelled', lease_until = null, finished_at = now()
where id = $1 and finished_at is null returning ${COLUMNS}, change`,
  values: [id],
});

/** Asks again for what a finished action asked for, of the version now in force; no row where it is unfinished. */
export const replayAction = (id: string, newId: string) => ({
  text: `insert into sandbox_action (id, script_id, script_name, script_version, entity, operation, record_id, change,
  user_id, origin, depth, parent_id)
select $2, a.script_id, s.name, s.current_version, a.entity, a.operation, a.record_id, a.change,
  a.user_id, a.origin, a.depth, a.parent_id
from sandbox_action a join sandbox_script s on s.id = a.script_id and s.deleted_at is null
where a.id = $1 and a.finished_at is not null
returning ${COLUMNS}, change`,
  values: [id, newId],
});

/**
 * Milliseconds that the oldest unfinished action has waited for being handed to the queue; no row where none waits. One
 * that is parked, or delayed by its script, waits rightly.
 */
export const relayLag = {
  text: `select extract(epoch from now() - created_at) * 1000 as lag_ms from sandbox_action
where finished_at is null and queued_at is null and status = 'pending' and not parked and (due_at is null or due_at <= now())
order by seq limit 1`,
};
