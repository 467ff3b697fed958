import type { EntityManager } from 'typeorm';

/** The run on whose behalf a bridge method is called: its second argument. Bound to one tenant; nothing of it comes from the script. */
export interface BridgeRun {
  readonly tenantId: string;
  /** The user whose write fired the script, where the host told. */
  readonly userId: string | null;
  /** `null` in a dry run that no action asked for. */
  readonly actionId: string | null;
  /** 0 for a script fired by the application, 1 for one fired by that script's writes, ... */
  readonly depth: number;
  /** Aborts when the call is given up or the run has ended. */
  readonly signal: AbortSignal;
  /**
   * TypeORM in the run's own transaction: what is written here is committed with the run, or not at all.
   * For a method declared `pure` it may be outside of a transaction: read only.
   */
  readonly manager: EntityManager;
}
