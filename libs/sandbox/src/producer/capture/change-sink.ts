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

/**
 * Where captured changes go. Implemented by `producer/outbox`.
 * `write` is called in the writer's transaction, just before its COMMIT, and must have sent its statement before it
 * first waits: between a failing subscriber of the host and us, whoever comes first rolls back. It resolves to what is
 * to be done after the commit (nothing, if no action came of the changes), or rejects, and the writer rolls back.
 */
export interface ChangeSink {
  write(runner: QueryRunner, tenantId: string, changes: readonly CapturedChange[]): Promise<(() => void) | undefined>;
}

/** Injection token of the `ChangeSink`. */
export const CHANGE_SINK = Symbol.for('nestjs-sandbox:change-sink');
