import { SandboxError } from './sandbox-error.js';

/** Somebody else finished the action first; nothing of this run is committed. Not a fault: the other one did the work. */
export class SupersededError extends SandboxError {
  readonly code = 'SANDBOX_SUPERSEDED';
  constructor(actionId: string) {
    super(`Action ${actionId} was finished by another run; this one is rolled back.`, { actionId });
  }
}

/** Another processor holds the action's lease: it may be acting outside the database right now. */
export class LeaseHeldError extends SandboxError {
  readonly code = 'SANDBOX_LEASE_HELD';
  constructor(actionId: string) {
    super(`Action ${actionId} is leased by another processor; it is tried again when the lease has run out.`, {
      actionId,
    });
  }
}

/**
 * The run's transaction was open longer than `limits.transactionMs`, most of that time waiting for the database: a link
 * that stalls, a server that is overloaded, a lock. Not the script's doing: the run is repeated.
 */
export class DatabaseStalledError extends SandboxError {
  readonly code = 'SANDBOX_DATABASE_STALLED';
  constructor(ms: number) {
    super(
      `The run's transaction was open for more than ${ms} ms (transactionMs), most of them waiting for the database. It is rolled back, and the run is repeated.`,
      { ms },
    );
  }
}

/** The run's transaction was open longer than `limits.transactionMs`, and was rolled back. */
export class TransactionTimeoutError extends SandboxError {
  readonly code = 'SANDBOX_TRANSACTION_TIMEOUT';
  constructor(ms: number) {
    super(
      `The run's transaction was open for more than ${ms} ms (transactionMs) and was rolled back. Query first, write last, or write less at a time.`,
      { ms },
    );
  }
}
