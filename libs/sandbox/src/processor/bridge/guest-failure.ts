import { HostFaultError, LimitExceededError, ScriptFacingError } from '../../errors/bridge.errors.js';
import { DatabaseStalledError, TransactionTimeoutError } from '../../errors/effects.errors.js';
import type { BridgeFailure } from '../../protocol/bridge-call.js';
import type { EntityEntry } from '../../scripts/entity-catalog.js';
import { judgeDatabaseError } from '../effects/database-error.js';

/** Why a run has to be given up, and what is done with it. */
export type RunFault =
  /** A deferred write was refused; the run is repeated interactively. */
  | { readonly kind: 'restart' }
  /** Another transaction came in between; the run is repeated as it was. */
  | { readonly kind: 'conflict'; readonly error: unknown }
  /** The database is in trouble; the run is repeated later. */
  | { readonly kind: 'infrastructure'; readonly error: unknown }
  /** Another processor has a lease on the action, or has finished it. */
  | { readonly kind: 'superseded' }
  /** The transaction was open for too long; the run has failed. */
  | { readonly kind: 'expired'; readonly error: TransactionTimeoutError };

/** A run fault on its way up to the session. */
export class RunFaultSignal extends Error {
  constructor(readonly fault: RunFault) {
    super(fault.kind);
  }
}

/**
 * Turns whatever went wrong in a call into what the script may know (`ScriptFacingError`), or into a `RunFaultSignal`.
 * `onHostFault` gets the errors whose text must not cross.
 */
export function translate(
  error: unknown,
  method: string,
  onHostFault: (error: unknown) => void,
  entry?: EntityEntry,
): ScriptFacingError | RunFaultSignal {
  if (error instanceof ScriptFacingError || error instanceof RunFaultSignal) return error;
  if (error instanceof TransactionTimeoutError) return new RunFaultSignal({ kind: 'expired', error });
  if (error instanceof DatabaseStalledError) return new RunFaultSignal({ kind: 'infrastructure', error });
  const verdict = judgeDatabaseError(error, entry);
  if (verdict.kind === 'refused') return verdict.error;
  if (verdict.kind === 'conflict') return new RunFaultSignal({ kind: 'conflict', error });
  if (verdict.kind === 'unavailable') return new RunFaultSignal({ kind: 'infrastructure', error });
  onHostFault(error);
  return new HostFaultError(method, error);
}

/** What crosses to the script. */
export function failureOf(error: ScriptFacingError | RunFaultSignal): BridgeFailure {
  if (error instanceof RunFaultSignal) {
    return {
      name: 'Error',
      message: 'The run was given up by the host.',
      code: 'SANDBOX_RUN_GIVEN_UP',
      fatal: 'restart',
    };
  }
  const fatal = error instanceof LimitExceededError ? { fatal: 'exceededCalls' as const } : {};
  return { name: error.name, message: error.message, code: error.code, ...fatal };
}
