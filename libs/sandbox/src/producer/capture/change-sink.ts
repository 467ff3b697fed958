import type { QueryRunner } from 'typeorm';
import type { Change } from '../../protocol/change.js';
import type { ChangeOrigin } from '../../scripts/plan-actions.js';
import type { TriggerIndex } from '../../scripts/script-registry.js';

/** A change as it waits for the commit: with who made it, and the scripts that were in force when it was made. */
export interface CapturedChange {
  readonly change: Change;
  readonly origin: ChangeOrigin;
  readonly index: TriggerIndex;
}

/** Actions on their way into the writer's transaction. */
export interface PendingWrite {
  /** To be awaited before the COMMIT is sent; left out where the COMMIT may follow on the heels of the statement. */
  readonly beforeCommit?: Promise<void>;
  /**
   * To be awaited after the COMMIT. Rejects where the statement failed, so that the COMMIT rolled back.
   * What it does after a real commit neither throws nor waits.
   */
  committed(): Promise<void>;
}

/**
 * Where captured changes go. Implemented by `producer/outbox`.
 * `write` is called in the writer's transaction, just before its COMMIT. It sends its statement before it returns:
 * between a failing subscriber of the host and us, whoever comes first rolls back. Returns nothing if no action came of
 * the changes.
 */
export interface ChangeSink {
  write(runner: QueryRunner, tenantId: string, changes: readonly CapturedChange[]): PendingWrite | undefined;
}

/** Injection token of the `ChangeSink`. */
export const CHANGE_SINK = Symbol.for('nestjs-sandbox:change-sink');
