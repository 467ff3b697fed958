import type { ActionJob } from '../../protocol/job.js';
import type { NewAction } from '../../records/action.record.js';
import type { JobRow } from '../../records/action.statements.js';
import type { NewJob } from '../../queue/queue-backend.js';

/** A change of more bytes of JSON than this stays in the row, and costs its run one read. */
const MOST_CHANGE_BYTES = 32 * 1024;

/** The job of an action that was committed just now. */
export function jobOfAction(action: NewAction, createdAt: number): NewJob {
  const { id, scriptId, scriptVersion, userId, depth, change, delayMs, trace } = action;
  const traced = trace ? { trace } : {};
  const job = withChange({ actionId: id, scriptId, scriptVersion, userId, depth, createdAt, ...traced }, change);
  return delayMs === undefined ? { job } : { job, delayMs };
}

/** The job of an action that was read back. */
export function jobOfRow(row: JobRow): NewJob {
  const { entity, operation, record_id: recordId, change } = row;
  const job = {
    actionId: row.id,
    scriptId: row.script_id,
    scriptVersion: row.script_version,
    userId: row.user_id,
    depth: row.depth,
    createdAt: row.created_at.getTime(),
    ...(row.trace ? { trace: row.trace } : {}),
  };
  return { job: withChange(job, { entity, operation, recordId, ...change }) };
}

function withChange(job: Omit<ActionJob, 'change'>, change: NonNullable<ActionJob['change']>): ActionJob {
  return fits(change) ? { ...job, change } : job;
}

/** Nearly every change is far smaller, which is seen without serialising it once more. */
function fits({ record, prevRecord, changed }: NonNullable<ActionJob['change']>): boolean {
  const most = mostBytes(record) + mostBytes(prevRecord) + changed.length * 130;
  return most <= MOST_CHANGE_BYTES || Buffer.byteLength(JSON.stringify([record, prevRecord])) <= MOST_CHANGE_BYTES;
}

/** An upper bound of a record's JSON in bytes: a character takes at most six, as a \u escape. */
function mostBytes(record: Readonly<Record<string, unknown>>): number {
  let bytes = 2;
  for (const [key, value] of Object.entries(record)) {
    if (typeof value === 'object' && value !== null) return Number.POSITIVE_INFINITY;
    bytes += 6 * key.length + 4 + (typeof value === 'string' ? 6 * value.length + 2 : 30);
  }
  return bytes;
}
