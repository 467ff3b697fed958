/**
 * A call a script makes of its host. `method` is `query`, `execute`, `sendEmail` or `<service>.<method>`. Nothing in it
 * names a tenant, a run or a user: the session it arrives in is bound to them.
 */
export interface BridgeCall {
  readonly method: string;
  readonly args: readonly unknown[];
  /** `execute` and `sendEmail` calls made since the last call that crossed the wire, oldest first (deferred runs). */
  readonly deferred: readonly DeferredCall[];
}

/** An `execute` or `sendEmail` call that waits in the thread for the end of the run, or for the first look at its result. */
export interface DeferredCall {
  readonly method: 'execute' | 'sendEmail';
  readonly args: readonly unknown[];
}

/** A failed call as the guest sees it: an ordinary, catchable `Error` made in the guest. Nothing of the host's crosses. */
export interface BridgeFailure {
  readonly name: string;
  readonly message: string;
  readonly code: string;
  /**
   * Set where the run must end instead of the script catching it: `exceededCalls` (a limit on calls, rows or mails), or
   * `restart` (a deferred write was refused: nothing was committed, the host repeats the run interactively).
   */
  readonly fatal?: 'exceededCalls' | 'restart';
}

/** The host's answer to a call. `deferred` holds the results of the deferred calls that came with it, in their order. */
export type BridgeReply =
  | { readonly ok: true; readonly value: unknown; readonly deferred?: readonly unknown[] }
  | {
      readonly ok: false;
      readonly error: BridgeFailure;
      /** Index of the deferred call that failed; left out when the call itself did. */
      readonly failedDeferred?: number;
      readonly deferred?: readonly unknown[];
    };
