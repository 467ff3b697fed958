import { v7 as uuidv7 } from 'uuid';
import type { Change, JsonRecord } from '../../protocol/change.js';
import type { Limits } from '../../protocol/limits.js';
import type { RunResult } from '../../protocol/run.js';
import { finishStatement, isSuperseded, type NewExecution } from '../../records/execution.statements.js';
import type { TriggerIndex } from '../../scripts/script-registry.js';
import type { ScriptVersion } from '../../scripts/script.js';
import type { TenantLease } from '../../tenancy/tenancy.js';
import type { TracedSpan } from '../../tracing/traced-span.js';
import { BridgeSession } from '../bridge/bridge-session.js';
import type { BridgeServices } from '../bridge/bridge-services.js';
import { type RunFault, RunFaultSignal, translate } from '../bridge/guest-failure.js';
import { RunEffects } from '../effects/run-effects.js';
import { lockTimeout } from '../effects/run-transaction.js';
import type { PoolResult, ScriptPool } from '../pool/script-pool.js';
import { commitRun, type CommitRequest, type Committed } from '../results/commit-run.js';
import { endingOf, type EndingRules } from '../results/ending.js';
import { Claim } from './claim.js';
import { traceCommit } from './trace-run.js';

/** One action, ready to be run. */
export interface RunnableAction {
  readonly lease: TenantLease;
  readonly index: TriggerIndex;
  readonly script: ScriptVersion;
  readonly change: Change;
  readonly actionId: string;
  readonly userId: string | null;
  readonly depth: number;
  /** What scripts see as `context.action`. */
  readonly about: JsonRecord;
  readonly limits: Readonly<Limits>;
  /** Whether nothing may come of it while an action that was committed before it is unfinished. */
  readonly inLine: boolean;
  readonly rules: EndingRules;
  readonly signal: AbortSignal;
  /** Taken already, and given back by whoever took it. */
  readonly claim?: Claim;
  /** Of the run; left out where nobody traces. */
  readonly span?: TracedSpan;
}

/** What an attempt needs of the process. */
export interface RunPorts {
  readonly pool: ScriptPool;
  readonly services: BridgeServices;
  /** Gets errors of the host's own services. */
  readonly onHostFault: (tenantId: string, method: string, error: unknown) => void;
}

/** How an attempt ended. */
export type AttemptOutcome =
  /** Kept: `done` with its effects, or `failed` without. */
  | { readonly kind: 'finished'; readonly result: RunResult; readonly committed: Committed }
  /** The failure is kept, and the script asked to be run again. */
  | { readonly kind: 'again'; readonly result: RunResult; readonly afterMs: number | undefined }
  | { readonly kind: 'superseded' }
  /** Nothing is kept: run it again, now (`restart`, `conflict`) or later. */
  | { readonly kind: 'restart' | 'conflict' | 'cancelled' }
  | { readonly kind: 'fault'; readonly error: unknown; readonly result?: RunResult };

const NOTHING: Committed = { actions: [], emails: 0 };

/**
 * One attempt at an action: run the script, and keep what came of it in one guarded transaction, or nothing at all.
 * `deferred` lets writes wait for the end of the run (decision 7). Never rejects.
 */
export async function attemptAction(
  ports: RunPorts,
  action: RunnableAction,
  deferred: boolean,
): Promise<AttemptOutcome> {
  return await new RunAttempt(ports, action, deferred).run();
}

class RunAttempt {
  private readonly effects: RunEffects;
  private readonly claim: Claim;
  private readonly session: BridgeSession;
  private readonly startedAt = new Date();
  private readonly beganAt = performance.now();

  constructor(
    private readonly ports: RunPorts,
    private readonly action: RunnableAction,
    private readonly deferred: boolean,
  ) {
    const { lease, actionId, userId, depth, limits, inLine, span } = action;
    this.effects = new RunEffects(lease, limits);
    this.claim = action.claim ?? new Claim(lease, actionId, { inLine });
    this.session = new BridgeSession({
      tenantId: lease.tenantId,
      userId,
      actionId,
      depth,
      limits,
      effects: this.effects,
      services: ports.services,
      dryRun: false,
      ...(span ? { span } : {}),
      claim: this.claim.take,
      onHostFault: (method, error) => ports.onHostFault(lease.tenantId, method, error),
    });
  }

  async run(): Promise<AttemptOutcome> {
    try {
      const outcome = await this.conclude(await this.execute());
      if (outcome.kind !== 'finished' && outcome.kind !== 'again') await this.undo();
      return outcome;
    } catch (error) {
      await this.undo();
      return await this.outcomeOfError(error);
    } finally {
      if (!this.action.claim) this.claim.end();
    }
  }

  private async execute(): Promise<PoolResult> {
    const { lease, script, change, userId, about, limits, signal } = this.action;
    const { record, prevRecord, changed, entity, operation } = change;
    return await this.ports.pool.run({
      script: script.compiled,
      source: script.source,
      tenantId: lease.tenantId,
      input: { entity, operation, record, prevRecord, changed, userId, action: about },
      limits,
      methods: ['query', 'execute', 'sendEmail', ...this.ports.services.names()],
      pureMethods: this.ports.services.pureNames(),
      deferred: this.deferred,
      onCall: this.session.onCall,
      signal,
    });
  }

  private async conclude(result: PoolResult): Promise<AttemptOutcome> {
    const { fault } = this.session;
    if (fault && fault.kind !== 'expired') return outcomeOfFault(fault);
    const judged = fault ? { ...result, ...expiredResult(fault.error) } : result;
    if (judged.outcome === 'cancelled') return { kind: 'cancelled' };
    switch (endingOf(judged, this.action.rules).kind) {
      case 'done':
        return await this.commit(judged);
      case 'failed':
        return await this.fail(judged);
      case 'again':
        return await this.repeat(judged);
      case 'fault':
        return { kind: 'fault', error: judged.error, result: judged };
    }
  }

  private async commit(result: PoolResult): Promise<AttemptOutcome> {
    const calls = this.session.deferredEffects(result.deferred);
    if (!calls) return { kind: 'restart' };
    const { index, actionId, userId, depth, script, limits, span } = this.action;
    const trace = span?.carrier;
    const request: CommitRequest = {
      effects: this.effects,
      ...calls,
      actionId,
      scriptId: script.scriptId,
      execution: this.execution(result, 'done'),
      index,
      origin: { userId, origin: 'script', depth: depth + 1, parentId: actionId, ...(trace ? { trace } : {}) },
      depthLimit: limits.depth,
      lockMs: lockTimeout(limits),
    };
    const committed = await traceCommit(span, result.deferred, () => commitRun(request));
    return { kind: 'finished', result, committed };
  }

  /** A script that failed leaves nothing behind but the record of it. */
  private async fail(result: RunResult): Promise<AttemptOutcome> {
    await this.effects.rollback();
    await this.action.lease.sql.query(finishStatement(this.execution(result, 'failed')));
    return { kind: 'finished', result, committed: NOTHING };
  }

  private async repeat(result: PoolResult): Promise<AttemptOutcome> {
    await this.effects.rollback();
    await this.action.lease.sql.query(finishStatement(this.execution(result, 'pending')));
    return { kind: 'again', result, afterMs: result.retryAfterMs };
  }

  private execution(result: RunResult, status: NewExecution['status']): NewExecution {
    const { actionId, script } = this.action;
    const { attempt } = this.claim;
    return {
      id: uuidv7(),
      actionId,
      scriptId: script.scriptId,
      scriptVersion: script.version,
      outcome: result.outcome,
      value: result.value,
      ...(result.error ? { error: result.error } : {}),
      logs: result.logs,
      usage: result.usage,
      startedAt: this.startedAt,
      status,
      ...(attempt === undefined ? this.inLine() : { claimedAttempt: attempt }),
    };
  }

  private inLine(): Pick<NewExecution, 'inLineMs'> {
    return this.action.inLine ? { inLineMs: performance.now() - this.beganAt } : {};
  }

  private async undo(): Promise<void> {
    await this.effects.rollback();
    if (!this.action.claim) await this.claim.giveBack();
  }

  /** The end of the run went wrong: its effects were refused, somebody else was first, or the database is in trouble. */
  private async outcomeOfError(error: unknown): Promise<AttemptOutcome> {
    if (isSuperseded(error)) return { kind: 'superseded' };
    let hostFault = false;
    const seen = translate(error, 'the commit', () => (hostFault = true));
    if (seen instanceof RunFaultSignal) return outcomeOfFault(seen.fault);
    if (hostFault) return { kind: 'fault', error };
    // A waiting write was refused: the script is to see it at its own line. One refused at the commit itself cannot be.
    return this.deferred ? { kind: 'restart' } : await this.failLate(seen);
  }

  private async failLate({ name, message, code }: Error & { code: string }): Promise<AttemptOutcome> {
    const usage = { cpuMs: 0, wallMs: Date.now() - this.startedAt.getTime(), waitMs: 0, calls: 0 };
    try {
      return await this.fail({ outcome: 'exception', error: { name, message, code }, logs: [], usage });
    } catch (error) {
      return isSuperseded(error) ? { kind: 'superseded' } : { kind: 'fault', error };
    }
  }
}

function outcomeOfFault(fault: RunFault): AttemptOutcome {
  return fault.kind === 'infrastructure' || fault.kind === 'expired'
    ? { kind: 'fault', error: fault.error }
    : { kind: fault.kind };
}

function expiredResult(error: Error & { code: string }): Pick<RunResult, 'outcome' | 'error'> {
  return { outcome: 'exceededWall', error: { name: error.name, message: error.message, code: error.code } };
}
