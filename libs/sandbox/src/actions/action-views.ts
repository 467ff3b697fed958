import type { Change } from '../protocol/change.js';
import type { LogLine, ScriptError, Usage } from '../protocol/run.js';
import type { ActionRow, EmailRow, ExecutionRow } from '../records/action.queries.js';
import type { ActionStatus, NewAction } from '../records/action.record.js';

/** An action as it is listed: without the images of its change. */
export interface ActionSummary {
  readonly id: string;
  /** Name of the script. */
  readonly scriptName: string;
  readonly scriptId: string;
  /** The version in force when the change was captured. */
  readonly scriptVersion: number;
  readonly entity: string;
  readonly operation: Change['operation'];
  readonly recordId: string;
  readonly status: ActionStatus;
  /** Runs begun that were not the first. */
  readonly attempt: number;
  /** The named way it ended: that of its last run, or why there was none. */
  readonly outcome: string | null;
  readonly error: ScriptError | null;
  readonly userId: string | null;
  readonly origin: 'app' | 'script';
  readonly depth: number;
  /** The action whose script made the change. */
  readonly parentId: string | null;
  readonly createdAt: Date;
  readonly queuedAt: Date | null;
  readonly finishedAt: Date | null;
}

/** One run of an action. */
export interface ExecutionDetail {
  readonly id: string;
  readonly attempt: number;
  readonly scriptVersion: number;
  readonly outcome: string;
  readonly value: unknown;
  readonly error: ScriptError | null;
  readonly logs: readonly LogLine[];
  readonly usage: Usage;
  readonly startedAt: Date;
  readonly finishedAt: Date;
}

/** One mail of an action. */
export interface EmailDetail {
  readonly id: string;
  readonly message: Readonly<Record<string, unknown>>;
  readonly messageId: string;
  readonly status: string;
  readonly attempts: number;
  readonly createdAt: Date;
  readonly sentAt: Date | null;
  readonly error: string | null;
}

/** An action with its change, its runs and its mails. */
export interface ActionDetail extends ActionSummary {
  readonly change: Change;
  readonly executions: readonly ExecutionDetail[];
  readonly emails: readonly EmailDetail[];
}

/** A row as a summary. */
export function actionSummary(row: ActionRow): ActionSummary {
  return {
    id: row.id,
    scriptName: row.script_name,
    scriptId: row.script_id,
    scriptVersion: row.script_version,
    entity: row.entity,
    operation: row.operation,
    recordId: row.record_id,
    status: row.status,
    attempt: row.attempt,
    outcome: row.outcome,
    error: row.error,
    userId: row.user_id,
    origin: row.origin,
    depth: row.depth,
    parentId: row.parent_id,
    createdAt: row.created_at,
    queuedAt: row.queued_at,
    finishedAt: row.finished_at,
  };
}

/** A row, its runs and its mails. */
export function actionDetail(
  row: ActionRow,
  executions: readonly ExecutionRow[],
  emails: readonly EmailRow[],
): ActionDetail {
  return {
    ...actionSummary(row),
    change: changeOf(row),
    executions: executions.map(executionDetail),
    emails: emails.map(emailDetail),
  };
}

/** A row as what the dispatcher takes. */
export function newActionOf(row: ActionRow): NewAction {
  return {
    id: row.id,
    scriptId: row.script_id,
    scriptName: row.script_name,
    scriptVersion: row.script_version,
    change: changeOf(row),
    userId: row.user_id,
    origin: row.origin,
    depth: row.depth,
    parentId: row.parent_id,
    status: 'pending',
    ...(row.trace ? { trace: row.trace } : {}),
  };
}

function changeOf(row: ActionRow): Change {
  const images = row.change ?? { record: {}, prevRecord: {}, changed: [] };
  return { entity: row.entity, operation: row.operation, recordId: row.record_id, ...images };
}

function executionDetail(row: ExecutionRow): ExecutionDetail {
  return {
    id: row.id,
    attempt: row.attempt,
    scriptVersion: row.script_version,
    outcome: row.outcome,
    value: row.value,
    error: row.error,
    logs: row.logs as LogLine[],
    usage: row.usage as Usage,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  };
}

function emailDetail(row: EmailRow): EmailDetail {
  return {
    id: row.id,
    message: row.message,
    messageId: row.message_id,
    status: row.status,
    attempts: row.attempts,
    createdAt: row.created_at,
    sentAt: row.sent_at,
    error: row.error,
  };
}
