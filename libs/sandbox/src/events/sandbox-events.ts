import { EventEmitter } from 'node:events';
import type { Outcome } from '../protocol/run.js';

/** Everything the library reports while it works. Logs, metrics and traces subscribe; a throwing subscriber hurts nobody. */
export interface SandboxEventMap {
  /** Changes were captured and their action rows are committed. */
  'actions.captured': { tenantId: string; actionIds: readonly string[] };
  /** Jobs were added to the tenant's queue. */
  'actions.queued': { tenantId: string; actionIds: readonly string[]; relayed: boolean };
  /** The tenant's backlog in the queue is full: these wait in their rows, in order, until the relay finds room. */
  'actions.parked': { tenantId: string; actionIds: readonly string[] };
  /** Adding jobs failed; the relay will try again. */
  'dispatch.failed': { tenantId: string; count: number; error: unknown };
  /** A run begins. */
  'action.started': { tenantId: string; actionId: string; script: string; attempt: number; waitedMs: number };
  /** An action has to wait for another one, by the order its script asks for; it leaves the queue until then. */
  'action.waits': { tenantId: string; actionId: string };
  /** A run's effects, result and state are committed. */
  'action.finished': { tenantId: string; actionId: string; script: string; outcome: Outcome | string; runMs: number };
  /** A run was lost to a fault of ours or of the infrastructure and will be repeated. */
  'action.retried': { tenantId: string; actionId: string; attempt: number; error: unknown; delayMs: number };
  /** Attempts are used up. */
  'action.dead': { tenantId: string; actionId: string; error: unknown };
  /** An action was given up without a run. */
  'action.skipped': { tenantId: string; actionId: string; reason: string };
  /** The lock on an action's job was lost: another process was given it. What this run did is kept only if it is first. */
  'lease.lost': { tenantId: string; actionId: string };
  /** Another processor finished the action first; nothing of this run was committed. */
  'action.superseded': { tenantId: string; actionId: string };
  'email.sent': { tenantId: string; emailId: string; actionId: string | null };
  'email.failed': { tenantId: string; emailId: string; error: unknown; final: boolean };
  /**
   * A thread of the pool is gone: it was not ready in time (`start`), its run was at a limit or cancelled (`deadline`), it
   * died or made no sense (`fault`), its memory could not be given back (`memory`), it had nothing to do (`idle`). Or a
   * child process with threads died (`process`).
   */
  'thread.replaced': { reason: 'start' | 'deadline' | 'fault' | 'memory' | 'idle' | 'process'; error?: unknown };
  /** A write that capture cannot see was noticed. */
  'capture.missed': { tenantId: string | undefined; sql: string };
  /** The relay of this process has looked at every tenant: how late it finds what a process that died left behind. */
  'relay.round': { tenants: number; tookMs: number };
  /** A fault in a background loop that goes on. */
  'background.error': { where: string; tenantId?: string; error: unknown };
}

/** The typed event stream of one module instance. */
export class SandboxEvents {
  private readonly emitter = new EventEmitter();

  /** Calls `listener` for every event of that name; returns the way to stop. */
  on<Name extends keyof SandboxEventMap>(name: Name, listener: (event: SandboxEventMap[Name]) => void): () => void {
    this.emitter.on(name, listener);
    return () => void this.emitter.off(name, listener);
  }

  /** Tells every listener; what a listener throws is dropped, because no subscriber may stop a run. */
  emit<Name extends keyof SandboxEventMap>(name: Name, event: SandboxEventMap[Name]): void {
    for (const listener of this.emitter.listeners(name)) {
      try {
        (listener as (event: SandboxEventMap[Name]) => void)(event);
      } catch {
        // see above
      }
    }
  }
}
