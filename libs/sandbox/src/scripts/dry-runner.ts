import type { Change, JsonRecord, Operation } from '../protocol/change.js';
import type { Limits } from '../protocol/limits.js';
import type { RunResult } from '../protocol/run.js';
import type { CompiledScript } from '../protocol/script.js';
import type { TenantLease } from '../tenancy/tenancy.js';

/** A script to be tried on a change; nothing of it is kept. */
export interface DryRunRequest {
  /** Held by the caller until the run has ended. */
  readonly lease: TenantLease;
  /** `null` for a source that was never deployed. */
  readonly scriptId: string | null;
  readonly scriptName: string;
  readonly source: string;
  readonly compiled: CompiledScript;
  readonly limits: Readonly<Limits>;
  readonly change: Change;
  readonly userId: string | null;
}

/** A row that the script would have written. */
export interface DryRunChange {
  readonly entity: string;
  readonly operation: Operation;
  readonly recordId: string;
  /** `null` for a create. */
  readonly before: JsonRecord | null;
  /** `null` for a delete. */
  readonly after: JsonRecord | null;
}

/** What a script would have done: the result of the run, and its effects, rolled back. */
export interface DryRunReport extends RunResult {
  /** Rows in the order in which they would have been written. */
  readonly changes: readonly DryRunChange[];
  /** Mails that would have been sent. */
  readonly emails: readonly JsonRecord[];
}

/** Runs a script with everything it does rolled back. Never rejects for anything the script does. */
export interface DryRunner {
  dryRun(request: DryRunRequest): Promise<DryRunReport>;
}

/** Injection token of the `DryRunner`; absent where a process has no pool. */
export const DRY_RUNNER = Symbol.for('nestjs-sandbox:dry-runner');
