import { describeValue, SandboxError } from './sandbox-error.js';

/** A run was asked of a runner that has been closed. */
export class RunnerClosedError extends SandboxError {
  readonly code = 'SANDBOX_RUNNER_CLOSED';
  constructor() {
    super('This script runner has been closed: create a new one, or close it after its last run.');
  }
}

/** An option of `createScriptRunner`, or a field of `run`, cannot be what it was given. */
export class InvalidRunError extends SandboxError {
  readonly code = 'SANDBOX_INVALID_RUN';
  constructor(field: string, value: unknown, remedy: string) {
    super(`Invalid "${field}": ${describeValue(value)}. ${remedy}`, { field, value });
  }
}

/** The built thread entry is missing. */
export class ThreadEntryMissingError extends SandboxError {
  readonly code = 'SANDBOX_THREAD_ENTRY_MISSING';
  constructor(tried: readonly string[]) {
    super(
      `The sandbox thread's file was not found (looked for ${tried.join(' and ')}): keep nestjs-sandbox out of bundles, or build it before running it from source.`,
      { tried },
    );
  }
}

/** A method name of a bridge that scripts could not call. */
export class InvalidBridgeMethodError extends SandboxError {
  readonly code = 'SANDBOX_INVALID_BRIDGE_METHOD';
  constructor(method: string) {
    super(
      `Invalid bridge method ${describeValue(method)}: use query, execute, sendEmail, or "<service>.<method>" with names that are identifiers.`,
      { method },
    );
  }
}

/** Something under test does not keep a promise of its contract suite. */
export class ContractViolationError extends SandboxError {
  readonly code = 'SANDBOX_CONTRACT_VIOLATED';
  constructor(what: string, actual: string, expected: string) {
    super(`${what}: got ${actual}, the contract says ${expected}. Mend the implementation, not the case.`, {
      what,
      actual,
      expected,
    });
  }
}
