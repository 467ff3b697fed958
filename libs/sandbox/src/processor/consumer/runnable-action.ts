import type { Change, JsonRecord, Operation } from '../../protocol/change.js';
import { changeStatement } from '../../records/execution.statements.js';
import type { SandboxOptions } from '../../sandbox.options.js';
import { effectiveLimits } from '../../scripts/effective-limits.js';
import type { TriggerIndex } from '../../scripts/script-registry.js';
import type { ScriptVersion } from '../../scripts/script.js';
import type { TenantLease } from '../../tenancy/tenancy.js';
import type { Delivery } from '../turns/turns.js';
import type { RunnableAction } from './run-attempt.js';

/** Puts together what a run needs: the job's change, the script in force, the limits that hold for it. */
export function runnableAction(
  options: SandboxOptions,
  { job, attemptsMade, signal }: Delivery,
  lease: TenantLease,
  index: TriggerIndex,
  script: ScriptVersion,
  change: Change,
  inLine: boolean,
): RunnableAction {
  const { actionId, userId, depth } = job;
  return {
    lease,
    index,
    script,
    change,
    actionId,
    userId,
    depth,
    about: {
      id: actionId,
      script: script.name,
      version: script.version,
      entity: change.entity,
      operation: change.operation,
      recordId: change.recordId,
      attempt: attemptsMade + 1,
      depth,
      createdAt: new Date(job.createdAt).toISOString(),
    },
    limits: effectiveLimits(options, lease.tenantId, script.limits),
    inLine,
    rules: { attemptsMade, retries: script.retries ?? 0, attempts: options.processing.attempts },
    signal,
  };
}

/** An action's row, as far as a run needs it. */
export interface ActionRow {
  readonly change: Change;
  readonly finished: boolean;
  /** Some processor may be acting outside the database for it right now. */
  readonly leased: boolean;
}

/** Reads an action; `undefined` where there is none. */
export async function readAction(lease: TenantLease, actionId: string): Promise<ActionRow | undefined> {
  const { rows } = await lease.sql.query<StoredRow>(changeStatement(actionId));
  const row = rows[0];
  if (!row) return undefined;
  const { entity, operation, recordId, change, finished, leased } = row;
  return { change: { entity, operation, recordId, ...change }, finished, leased: leased ?? false };
}

interface StoredRow {
  readonly entity: string;
  readonly operation: Operation;
  readonly recordId: string;
  readonly change: {
    readonly record: JsonRecord;
    readonly prevRecord: JsonRecord;
    readonly changed: readonly string[];
  };
  readonly finished: boolean;
  readonly leased: boolean | null;
}
