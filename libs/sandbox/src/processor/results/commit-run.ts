import { insertActions, type InsertedRow } from '../../records/action.statements.js';
import type { NewAction } from '../../records/action.record.js';
import { insertEmailsStatement, type NewEmail } from '../../records/email.statements.js';
import type { Operation } from '../../protocol/change.js';
import { EntityCatalog, type EntityEntry } from '../../scripts/entity-catalog.js';
import { type ChangeOrigin, planActions } from '../../scripts/plan-actions.js';
import type { TriggerIndex } from '../../scripts/script-registry.js';
import type { SqlStatement } from '../../tenancy/tenancy.js';
import type { RunEffects } from '../effects/run-effects.js';
import { Parameters } from '../effects/parameters.js';
import { statementNamesOf } from '../effects/statement-names.js';
import { blindSql, blindWrite } from '../effects/write-sql.js';
import { finishStatement, finishWith, type NewExecution } from '../../records/execution.statements.js';
import type { Write } from '../effects/write.js';

/** A run that ended well, and what is to be committed with it. */
export interface CommitRequest {
  readonly effects: RunEffects;
  /** Validated calls that were not applied yet. */
  readonly writes: readonly Write[];
  readonly emails: readonly NewEmail[];
  readonly actionId: string;
  readonly scriptId: string;
  /** What is kept of the run. */
  readonly execution: NewExecution;
  readonly index: TriggerIndex;
  /** Of the changes that the script made. */
  readonly origin: ChangeOrigin;
  readonly depthLimit: number;
  /** Milliseconds that a write waits for a row which somebody has locked. */
  readonly lockMs: number;
}

/** What was committed. */
export interface Committed {
  /** Actions that the script's own changes asked for. */
  readonly actions: readonly NewAction[];
  /** Whether they stay out of the queue for now, behind others that do. */
  readonly parked?: boolean;
  /** Number of the first of them; left out where there are none. */
  readonly seq?: number;
  readonly emails: number;
}

/**
 * The finish goes first in every transaction: of two runs of one action the second stops at once, at the action's row,
 * before it has done anything twice.
 *
 * Commits a run: its effects, the actions they ask for, its mails, the execution and the action's new state, in one
 * transaction. Where nobody looks at what the effects come to, they are sent in one go, without waiting in between.
 * Rejects with what the database said; nothing is committed then (or, where the connection broke at the COMMIT, all).
 */
export async function commitRun(request: CommitRequest): Promise<Committed> {
  const { effects, writes } = request;
  if (!effects.interactive && !writes.some(({ entry, op }) => fires(request.index, entry, op)))
    return await commitBlindly(request);
  if (writes.length > 0) await effects.write(writes, (error) => error);
  effects.emails.push(...request.emails);
  const actions = actionsOf(request);
  const answers = await effects.commit([
    finishStatement(request.execution),
    ...(actions.length > 0 ? [insertActions(actions)] : []),
    ...mailStatements(request, effects.emails),
  ]);
  const inserted = actions.length > 0 ? (answers[1] as InsertedRow[])[0] : undefined;
  const emails = effects.emails.length;
  return inserted
    ? { actions, parked: inserted.parked === true, seq: Number(inserted.seq), emails }
    : { actions, emails };
}

/** Whether some script listens to such a change, and the host lets it fire scripts at all. */
function fires(index: TriggerIndex, { name, trigger }: EntityEntry, operation: Operation): boolean {
  return (trigger?.on.includes(operation) ?? false) && index.listens(name, operation);
}

function actionsOf({ effects, index, origin, depthLimit }: CommitRequest): NewAction[] {
  const catalog = EntityCatalog.of(effects.lease.dataSource);
  const heard = effects.changes.filter(({ entity, operation }) => {
    const entry = catalog.get(entity);
    return entry !== undefined && fires(index, entry, operation);
  });
  return planActions(index, heard, origin, depthLimit);
}

async function commitBlindly(request: CommitRequest): Promise<Committed> {
  const { effects, writes, execution, lockMs } = request;
  const emails = [...effects.emails, ...request.emails];
  const committed = { actions: [], emails: emails.length };
  const [only] = writes;
  if (emails.length === 0 && writes.length < 2) {
    await effects.lease.sql.query(only ? finishAndWrite(execution, only, lockMs) : finishStatement(execution));
    return committed;
  }
  const mails = mailStatements(request, emails);
  await effects.lease.sql.transaction([
    finishStatement(execution),
    ...writes.map((write) => blindWrite(write, lockMs)),
    ...mails,
  ]);
  return committed;
}

function finishAndWrite(execution: NewExecution, write: Write, lockMs: number): SqlStatement {
  const { text, values } = finishWith(execution, (given) => blindSql(write, new Parameters(given), lockMs));
  return statementNamesOf(write.entry.metadata.dataSource).statement(text, values);
}

function mailStatements({ actionId, scriptId }: CommitRequest, emails: readonly NewEmail[]): SqlStatement[] {
  return emails.length > 0 ? [insertEmailsStatement(actionId, scriptId, emails)] : [];
}
