import { v7 as uuidv7 } from 'uuid';
import type { RunResult } from '../../protocol/run.js';
import { finishStatement, skipStatement } from '../../records/execution.statements.js';
import type { SqlStatement } from '../../tenancy/tenancy.js';

/** An action whose attempts are used up. */
export interface DeadAction {
  readonly actionId: string;
  readonly scriptId: string;
  readonly scriptVersion: number;
  readonly attempts: number;
  /** Of the last attempt, where there was one. */
  readonly result?: RunResult;
}

/** Keeps an action as a dead letter. What the host's fault was is for the host's log; the tenant reads that there was one. */
export function deadStatement({ actionId, scriptId, scriptVersion, attempts, result }: DeadAction): SqlStatement {
  const message = `The run failed ${attempts} times for a reason on the host's side. It can be replayed once that is mended.`;
  return finishStatement({
    id: uuidv7(),
    actionId,
    scriptId,
    scriptVersion,
    outcome: 'internalError',
    error: { name: 'InternalError', code: 'SANDBOX_INTERNAL_ERROR', message },
    logs: result?.logs ?? [],
    usage: result?.usage ?? { cpuMs: 0, wallMs: 0, waitMs: 0, calls: 0 },
    startedAt: new Date(),
    status: 'dead',
  });
}

/** Gives up an action whose script was deleted. */
export function deletedStatement(actionId: string): SqlStatement {
  return skipStatement(actionId, 'scriptDeleted', {
    name: 'ScriptDeletedError',
    code: 'SANDBOX_SCRIPT_DELETED',
    message: 'The script was deleted before this action ran.',
  });
}
