import type { LogLine, Outcome, ScriptError, Usage } from '../protocol/run.js';
import type { SqlStatement } from '../tenancy/tenancy.js';
import type { ActionStatus } from './action.record.js';
import { FIRST_IN_LINE, ranAlone } from './order.statements.js';
import { storableJson } from './storable-json.js';

/** What is kept of a run, and what it makes of its action. */
export interface NewExecution {
  /** UUID version 7. */
  readonly id: string;
  readonly actionId: string;
  readonly scriptId: string;
  readonly scriptVersion: number;
  readonly outcome: Outcome;
  readonly value?: unknown;
  readonly error?: ScriptError;
  readonly logs: readonly LogLine[];
  readonly usage: Usage;
  /** When the run began. */
  readonly startedAt: Date;
  /** The action's new state; `pending`: it will be run again. */
  readonly status: Extract<ActionStatus, 'done' | 'failed' | 'dead' | 'pending'>;
  /** The attempt a claim was committed for; left out where there was none. */
  readonly claimedAttempt?: number;
  /**
   * Where nothing is to be kept unless the action is first in its line and ran by itself: the milliseconds that passed
   * since the run began. Not for one that was claimed.
   */
  readonly inLineMs?: number;
}

/** A text for each case, not a parameter: what a plan cannot leave out it is made anew for, every time (0.1 ms). */
const finished = (inLine: boolean): string => `with finished as (
  update sandbox_action a set status = $2, outcome = $3, error = $4::jsonb, lease_until = null,
    attempt = attempt + case when $5::int is null then 1 else 0 end,
    finished_at = case when $2 = 'pending' then null else clock_timestamp() end
  where id = $1 and finished_at is null
    and case when $5::int is null then lease_until is null or lease_until < now() else attempt = $5 end
    ${inLine ? `and ${FIRST_IN_LINE} and ${ranAlone('$13::float8')}` : ''}
  returning attempt
)`;

const FINISHED = finished(false);
const FINISHED_IN_LINE = finished(true);

const EXECUTION = `insert into sandbox_execution (id, action_id, attempt, script_id, script_version, outcome, value, error, logs, usage, started_at)
values ($6, $1, (select attempt from finished), $7, $8, $3, $9::jsonb, $4::jsonb, $10::jsonb, $11::jsonb, $12)`;

/**
 * Writes the execution and the action's new state, if the action is unfinished, nobody else has a lease on it, and it is
 * first in its line where that is asked for.
 * Otherwise there is no attempt to put in the execution, and the statement fails on that column (`isSuperseded`): so the
 * transaction it belongs to is rolled back by the server, without anybody having looked at a row count in between.
 */
export function finishStatement(execution: NewExecution): SqlStatement {
  const values = finishValues(execution);
  return execution.inLineMs !== undefined
    ? { name: 'sandbox_finish_in_line', text: `${FINISHED_IN_LINE}\n${EXECUTION}`, values }
    : { name: 'sandbox_finish', text: `${FINISHED}\n${EXECUTION}`, values };
}

/**
 * `finishStatement` and one write in a single statement, which is its own transaction: 30 % less of the server's time and
 * a quarter of the system calls. `effect` adds its parameters behind those given, and returns a data-changing statement
 * and what is selected from its rows, `w`.
 */
export function finishWith(
  execution: NewExecution,
  effect: (values: unknown[]) => { readonly change: string; readonly select: string },
): { readonly text: string; readonly values: readonly unknown[] } {
  const values = finishValues(execution);
  const { change, select } = effect(values);
  return {
    text: `${execution.inLineMs === undefined ? FINISHED : FINISHED_IN_LINE},\nexecution as (${EXECUTION}),\nw as (${change} returning 1)\nselect ${select} from w`,
    values,
  };
}

function finishValues(execution: NewExecution): unknown[] {
  return [
    execution.actionId,
    execution.status,
    execution.outcome,
    storableJson(execution.error),
    execution.claimedAttempt ?? null,
    execution.id,
    execution.scriptId,
    execution.scriptVersion,
    storableJson(execution.value),
    storableJson(execution.logs) ?? '[]',
    storableJson(execution.usage),
    execution.startedAt,
    ...(execution.inLineMs === undefined ? [] : [execution.inLineMs]),
  ];
}

/**
 * Whether an error of `finishStatement` or `finishWith` says that the action was finished, or is leased, by somebody else,
 * or that it is not first in its line.
 */
export function isSuperseded(error: unknown): boolean {
  const { code, table, column } = error as { code?: unknown; table?: unknown; column?: unknown };
  return code === '23502' && table === 'sandbox_execution' && column === 'attempt';
}

/** Gives an action up without a run. Does nothing if it is finished. */
export function skipStatement(actionId: string, outcome: string, error: ScriptError): SqlStatement {
  return {
    name: 'sandbox_skip',
    text: `update sandbox_action set status = 'skipped', outcome = $2, error = $3::jsonb, finished_at = now(), lease_until = null
where id = $1 and finished_at is null and (lease_until is null or lease_until < now())`,
    values: [actionId, outcome, storableJson(error)],
  };
}

/**
 * Takes a lease on the action for a run that may act outside the database; returns the attempt that its finish must
 * name. No row: finished, leased by somebody else, or, where `inLine` asks for that, not first in its line.
 */
export function claimStatement(actionId: string, leaseMs: number, inLine = false): SqlStatement {
  return {
    name: inLine ? 'sandbox_claim_in_line' : 'sandbox_claim',
    text: `update sandbox_action a set status = 'running', attempt = attempt + 1, lease_until = now() + $2 * interval '1 millisecond'
where id = $1 and finished_at is null and (lease_until is null or lease_until < now())
${inLine ? `  and ${FIRST_IN_LINE}\n` : ''}returning attempt`,
    values: [actionId, leaseMs],
  };
}

/** Keeps a lease; no row: it was lost. */
export function renewStatement(actionId: string, attempt: number, leaseMs: number): SqlStatement {
  return {
    name: 'sandbox_renew',
    text: `update sandbox_action set lease_until = now() + $3 * interval '1 millisecond'
where id = $1 and attempt = $2 and finished_at is null returning attempt`,
    values: [actionId, attempt, leaseMs],
  };
}

/** Gives a lease back, of a run that will be repeated. */
export function unclaimStatement(actionId: string, attempt: number): SqlStatement {
  return {
    name: 'sandbox_unclaim',
    text: `update sandbox_action set lease_until = null, status = 'pending' where id = $1 and attempt = $2 and finished_at is null`,
    values: [actionId, attempt],
  };
}

/** What a run needs of its action, where the job does not carry it; `finished` tells a redelivery of a finished one. */
export function changeStatement(actionId: string): SqlStatement {
  return {
    name: 'sandbox_change',
    text: `select entity, operation, record_id as "recordId", change, finished_at is not null as finished, lease_until > now() as leased
from sandbox_action where id = $1`,
    values: [actionId],
  };
}
