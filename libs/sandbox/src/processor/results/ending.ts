import type { RunResult } from '../../protocol/run.js';

/** What an action becomes after a run. */
export type Ending =
  /** Its effects are committed. */
  | { readonly kind: 'done' }
  /** No effects; the failure is kept. */
  | { readonly kind: 'failed' }
  /** No effects; the failure is kept, and the script is run again. */
  | { readonly kind: 'again' }
  /** A fault of ours: run again, or given up once the attempts are used up. */
  | { readonly kind: 'fault' };

/** What decides besides the result. */
export interface EndingRules {
  /** Attempts before this one. */
  readonly attemptsMade: number;
  /** Times a failed run of this script is repeated. */
  readonly retries: number;
  /** Attempts at one action, all in all. */
  readonly attempts: number;
}

/** What a script that wants to be run again throws: an error with this code. */
export const RETRY_LATER = 'RETRY_LATER';

/**
 * The table over the outcome:
 *
 *   ok                                   done
 *   internalError                        fault
 *   anything else, code RETRY_LATER      again while attempts are left, else failed
 *   anything else, retries left          again
 *   anything else                        failed
 */
export function endingOf({ outcome, error }: RunResult, rules: EndingRules): Ending {
  if (outcome === 'ok') return { kind: 'done' };
  if (outcome === 'internalError') return { kind: 'fault' };
  const most = error?.code === RETRY_LATER ? Math.max(rules.attempts - 1, rules.retries) : rules.retries;
  return { kind: rules.attemptsMade < most ? 'again' : 'failed' };
}
