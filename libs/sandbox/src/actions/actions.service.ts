import { Inject, Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { ActionNotFoundError, ActionStateError, InvalidActionFilterError } from '../errors/action.errors.js';
import { ScriptNotFoundError } from '../errors/script.errors.js';
import { SandboxEvents } from '../events/sandbox-events.js';
import { ACTION_DISPATCHER, type ActionDispatcher } from '../queue/action-dispatcher.js';
import { QUEUE_BACKEND, type QueueBackend } from '../queue/queue-backend.js';
import {
  actionById,
  type ActionRow,
  cancelAction,
  emailsOf,
  type EmailRow,
  executionsOf,
  type ExecutionRow,
  listActions,
  replayAction,
  retryAction,
} from '../records/action.queries.js';
import type { ActionStatus } from '../records/action.record.js';
import { type SqlPool, TENANCY, type Tenancy, type TenantLease } from '../tenancy/tenancy.js';
import { type ActionDetail, actionDetail, type ActionSummary, actionSummary, newActionOf } from './action-views.js';

/** Which actions to list. */
export interface ActionQuery {
  readonly status?: ActionStatus;
  /** Name of a script. */
  readonly script?: string;
  /** Trigger name of an entity. */
  readonly entity?: string;
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
  /** 1 to 200 a page. Default 50. */
  readonly limit?: number;
}

/** A page of actions, the newest first. */
export interface ActionPage {
  readonly items: readonly ActionSummary[];
  /** Hand it back as `cursor` for the next page; `null` on the last one. */
  readonly nextCursor: string | null;
}

const STATUSES: readonly ActionStatus[] = [
  'pending',
  'queued',
  'running',
  'done',
  'failed',
  'dead',
  'skipped',
  'cancelled',
];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const SEQ = /^\d{1,18}$/;

/**
 * The tenants' actions: look at them, run them again, give them up. Whatever is changed, is changed by one statement
 * that names the state it starts from, so that of two callers, or a caller and a processor, one wins.
 */
@Injectable()
export class ActionsService {
  constructor(
    @Inject(TENANCY) private readonly tenancy: Tenancy,
    @Inject(ACTION_DISPATCHER) private readonly dispatcher: ActionDispatcher,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(SandboxEvents) private readonly events: SandboxEvents,
  ) {}

  /** A page of actions, the newest first. Rejects with `InvalidActionFilterError`. */
  list(tenantId: string, query: ActionQuery = {}): Promise<ActionPage> {
    return this.withSql(tenantId, async (sql) => {
      const limit = checkLimit(query.limit);
      const filter = {
        ...query,
        status: checkStatus(query.status),
        before: readCursor(query.cursor),
        limit: limit + 1,
      };
      const { rows } = await sql.query<ActionRow>(listActions(filter));
      const page = rows.slice(0, limit);
      const nextCursor = rows.length > limit ? writeCursor(page.at(-1) as ActionRow) : null;
      return { items: page.map(actionSummary), nextCursor };
    });
  }

  /** One action with its change, its runs and its mails. Rejects with `ActionNotFoundError`. */
  get(tenantId: string, actionId: string): Promise<ActionDetail> {
    return this.withSql(tenantId, async (sql) => detailOf(sql, await find(sql, actionId)));
  }

  /** Lets a failed, dead or cancelled action run again; its attempts go on counting. Rejects with `ActionStateError`. */
  retry(tenantId: string, actionId: string): Promise<ActionDetail> {
    return this.withSql(tenantId, async (sql) => {
      const row = await this.change(sql, 'retry', actionId, retryAction(actionId));
      // A job of the earlier life, where one is left, would swallow the new one: they share their id.
      await this.forgetJob(tenantId, actionId);
      this.dispatcher.dispatch(tenantId, [newActionOf(row)]);
      return detailOf(sql, row);
    });
  }

  /**
   * Asks once more for what a finished action asked for: a new action with the same change, for the version now in
   * force. Rejects with `ActionStateError`, or `ScriptNotFoundError` where the script was deleted.
   */
  replay(tenantId: string, actionId: string): Promise<ActionDetail> {
    return this.withSql(tenantId, async (sql) => {
      const row = await this.change(sql, 'replay', actionId, replayAction(actionId, uuidv7()));
      this.dispatcher.dispatch(tenantId, [newActionOf(row)]);
      return detailOf(sql, row);
    });
  }

  /** Gives up an unfinished action; what a run that is under way did is rolled back. Rejects with `ActionStateError`. */
  cancel(tenantId: string, actionId: string): Promise<ActionDetail> {
    return this.withSql(tenantId, async (sql, lease) => {
      const row = await this.change(sql, 'cancel', actionId, cancelAction(actionId));
      await this.forgetJob(tenantId, actionId);
      await this.dispatcher.resume(lease, actionId);
      return detailOf(sql, row);
    });
  }

  private async change(
    sql: SqlPool,
    wish: 'retry' | 'replay' | 'cancel',
    actionId: string,
    statement: { text: string; values: unknown[] },
  ): Promise<ActionRow> {
    assertActionId(actionId);
    const [row] = (await sql.query<ActionRow>(statement)).rows;
    if (row) return row;
    const { status, finished_at, script_name } = await find(sql, actionId);
    if (wish === 'replay' && finished_at !== null) throw new ScriptNotFoundError(script_name);
    throw new ActionStateError(wish, actionId, status);
  }

  /** The row is the truth: a job that stays behind finds nothing to do. */
  private async forgetJob(tenantId: string, actionId: string): Promise<void> {
    try {
      await this.backend.remove(tenantId, [actionId]);
    } catch (error) {
      this.events.emit('background.error', { where: 'forget job', tenantId, error });
    }
  }

  private async withSql<T>(tenantId: string, work: (sql: SqlPool, lease: TenantLease) => Promise<T>): Promise<T> {
    const lease = await this.tenancy.lease(tenantId);
    try {
      return await work(lease.sql, lease);
    } finally {
      lease.release();
    }
  }
}

async function find(sql: SqlPool, actionId: string): Promise<ActionRow> {
  assertActionId(actionId);
  const [row] = (await sql.query<ActionRow>(actionById(actionId))).rows;
  if (!row) throw new ActionNotFoundError(actionId);
  return row;
}

async function detailOf(sql: SqlPool, row: ActionRow): Promise<ActionDetail> {
  const [executions, emails] = await Promise.all([
    sql.query<ExecutionRow>(executionsOf(row.id)),
    sql.query<EmailRow>(emailsOf(row.id)),
  ]);
  return actionDetail(row, executions.rows, emails.rows);
}

function assertActionId(actionId: unknown): void {
  if (typeof actionId !== 'string' || !UUID.test(actionId)) throw new ActionNotFoundError(actionId);
}

function checkStatus(status: unknown): ActionStatus | undefined {
  if (status === undefined || STATUSES.includes(status as ActionStatus)) return status as ActionStatus | undefined;
  throw new InvalidActionFilterError('status', `one of ${STATUSES.join(', ')}`, status);
}

function checkLimit(limit: unknown): number {
  if (limit === undefined) return 50;
  if (Number.isInteger(limit) && (limit as number) >= 1 && (limit as number) <= 200) return limit as number;
  throw new InvalidActionFilterError('limit', 'a whole number from 1 to 200', limit);
}

function writeCursor(row: ActionRow): string {
  return Buffer.from(row.seq).toString('base64url');
}

function readCursor(cursor: unknown): string | undefined {
  if (cursor === undefined) return undefined;
  const seq = typeof cursor === 'string' ? Buffer.from(cursor, 'base64url').toString() : '';
  if (SEQ.test(seq)) return seq;
  throw new InvalidActionFilterError('cursor', 'the nextCursor of an earlier page', cursor);
}
