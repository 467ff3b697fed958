import type { NewAction } from '../records/action.record.js';

/** Hands committed actions to the queue, without making anybody wait. Implemented by `producer/dispatch`. */
export interface ActionDispatcher {
  /** Call right after the commit. Never throws; what cannot be handed over now, the relay finds. */
  dispatch(tenantId: string, actions: readonly NewAction[]): void;
}

/** Injection token of the `ActionDispatcher`. */
export const ACTION_DISPATCHER = Symbol.for('nestjs-sandbox:action-dispatcher');
