import { describeValue, SandboxError } from './sandbox-error.js';

/** No action of that id. */
export class ActionNotFoundError extends SandboxError {
  readonly code = 'SANDBOX_ACTION_NOT_FOUND';
  constructor(actionId: unknown) {
    super(`There is no action with the id ${describeValue(actionId)}: list the actions to see theirs.`, { actionId });
  }
}

/** An action is not in a state in which this can be done to it. */
export class ActionStateError extends SandboxError {
  readonly code = 'SANDBOX_ACTION_STATE';
  constructor(wish: 'retry' | 'replay' | 'cancel', actionId: string, status: string) {
    super(`Cannot ${wish} action ${actionId}: it is ${status}. ${REMEDIES[wish]}`, { wish, actionId, status });
  }
}

const REMEDIES = {
  retry: 'Only failed, dead and cancelled actions can be retried; to run a finished one once more, replay it.',
  replay: 'Only finished actions can be replayed; wait for this one, or cancel it first.',
  cancel: 'Only unfinished actions can be cancelled.',
};

/** A list of actions was asked for in a way that makes no sense. */
export class InvalidActionFilterError extends SandboxError {
  readonly code = 'SANDBOX_INVALID_ACTION_FILTER';
  constructor(filter: string, expected: string, value: unknown) {
    super(`${filter}: expected ${expected}, got ${describeValue(value)}.`, { path: filter, value });
  }
}
