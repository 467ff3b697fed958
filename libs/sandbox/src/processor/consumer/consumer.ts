import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { SandboxEvents } from '../../events/sandbox-events.js';
import { ACTION_DISPATCHER, type ActionDispatcher } from '../../queue/action-dispatcher.js';
import type { OrderKeys } from '../../records/order.statements.js';
import { SANDBOX_OPTIONS, type SandboxOptions } from '../../sandbox.options.js';
import { SCRIPT_REGISTRY, type ScriptRegistry } from '../../scripts/script-registry.js';
import { SandboxContext } from '../../tenancy/sandbox-context.js';
import { TENANCY, type Tenancy, type TenantLease } from '../../tenancy/tenancy.js';
import { Tracing } from '../../tracing/tracing.js';
import { BridgeServices } from '../bridge/bridge-services.js';
import { MailSender } from '../mail/mail-sender.js';
import { SCRIPT_POOL, type ScriptPool } from '../pool/script-pool.js';
import { backoff } from '../../queue/backoff.js';
import { deadStatement, deletedStatement } from '../results/given-up.js';
import { TenantOrders } from '../turns/tenant-orders.js';
import { type Delivery, TURNS, type Turns } from '../turns/turns.js';
import { Claim } from './claim.js';
import { type HeldBack, passGate } from './gate.js';
import { attemptAction, type AttemptOutcome, type RunnableAction, type RunPorts } from './run-attempt.js';
import { readAction, runnableAction } from './runnable-action.js';
import { traceRun } from './trace-run.js';

/** Times a run is repeated at once because another transaction came in between; after that the delivery is retried. */
const CONFLICTS_AT_ONCE = 3;
/** Milliseconds until a job is looked at again whose action another processor has a lease on. */
const LEASED_MS = 5_000;
/** Milliseconds a claim for the sake of order holds without being renewed: as long as the lock of its job. */
const ORDER_LEASE_MS = 15_000;

/** How a delivery ended: as the last attempt did, or without one. */
type DeliveryOutcome =
  | AttemptOutcome
  | { readonly kind: 'later'; readonly delayMs: number }
  /** `early`: an action that was committed before it is unfinished. */
  | { readonly kind: 'complete' | 'leased' | 'waits' | 'early' };

/**
 * The life of a job: a turn hands it over, it is run with the script in force now, what came of it is kept once, it goes.
 * What guards the effects is the action's row; so a job that comes twice, or whose end the queue never hears of, is harmless.
 */
@Injectable()
export class Consumer implements OnApplicationBootstrap {
  private readonly ports: RunPorts;

  constructor(
    @Inject(SANDBOX_OPTIONS) private readonly options: SandboxOptions,
    @Inject(TENANCY) private readonly tenancy: Tenancy,
    @Inject(SCRIPT_REGISTRY) private readonly registry: ScriptRegistry,
    @Inject(TURNS) private readonly turns: Turns,
    @Inject(SCRIPT_POOL) pool: ScriptPool,
    @Inject(ACTION_DISPATCHER) private readonly dispatcher: ActionDispatcher,
    @Inject(SandboxEvents) private readonly events: SandboxEvents,
    @Inject(BridgeServices) services: BridgeServices,
    @Inject(MailSender) private readonly mail: MailSender,
    @Inject(TenantOrders) private readonly orders: TenantOrders,
    @Inject(Tracing) private readonly tracing: Tracing,
  ) {
    const onHostFault = (tenantId: string, method: string, error: unknown): void =>
      events.emit('background.error', { where: `bridge: ${method}`, tenantId, error });
    this.ports = { pool, services, onHostFault };
  }

  /** Begins to serve. The turns stop, drain and hand back by themselves. */
  onApplicationBootstrap(): void {
    if (this.options.processing.enabled) this.turns.start((delivery) => this.handle(delivery));
  }

  /** One delivery from turn to end. Rejects only where the queue cannot be told how it ended: it delivers again then. */
  async handle(delivery: Delivery): Promise<void> {
    await SandboxContext.exit(async () => {
      const outcome = await this.run(delivery).catch((error: unknown): DeliveryOutcome => ({ kind: 'fault', error }));
      await this.end(delivery, outcome);
    });
  }

  private async run(delivery: Delivery): Promise<DeliveryOutcome> {
    const { tenantId, job } = delivery;
    const lease = await this.tenancy.lease(tenantId);
    try {
      const index = await this.registry.load(lease);
      const script = index.script(job.scriptId);
      if (!script) return await this.skip(lease, delivery);
      const ordered = (script.order ?? this.options.processing.order) !== 'none';
      const gate = await passGate(lease, job.actionId, script, ordered);
      if (gate && gate.kind !== 'run') return await this.heldBack(lease, delivery, gate);
      const change = job.change ?? (await readAction(lease, job.actionId))?.change;
      if (!change) return { kind: 'complete' };
      const keys = this.orders.keysOf(index, script);
      const inLine = ordered && !keys;
      const action = runnableAction(this.options, delivery, lease, index, script, change, inLine);
      const outcome = keys ? await this.inOrder(delivery, action, keys) : await this.perform(delivery, action);
      return outcome.kind === 'superseded' ? await this.superseded(lease, delivery, inLine) : outcome;
    } finally {
      lease.release();
    }
  }

  /** The script's gate does not let the action run, or not now. */
  private async heldBack(lease: TenantLease, delivery: Delivery, gate: HeldBack): Promise<DeliveryOutcome> {
    const { actionId } = delivery.job;
    if (gate.kind === 'superseded') return await this.superseded(lease, delivery);
    if (gate.kind === 'skip')
      this.events.emit('action.skipped', { tenantId: lease.tenantId, actionId, reason: gate.reason });
    await this.dispatcher.resume(lease, actionId);
    return gate.kind === 'wait' ? { kind: 'later', delayMs: gate.delayMs } : { kind: 'complete' };
  }

  /** A run that has to keep apart from others: claims its action first, and lets those behind it go when it is over. */
  private async inOrder(delivery: Delivery, action: RunnableAction, keys: OrderKeys): Promise<DeliveryOutcome> {
    const { lease, actionId } = action;
    const claim = new Claim(lease, actionId, { leaseMs: ORDER_LEASE_MS });
    const taken = await claim.takeInOrder(keys);
    if (taken !== 'taken') return { kind: taken };
    const outcome = await this.perform(delivery, { ...action, claim });
    if (outcome.kind === 'finished') claim.end();
    else await claim.giveBack();
    await this.dispatcher.resume(lease, actionId);
    return outcome;
  }

  private async perform(delivery: Delivery, action: RunnableAction): Promise<AttemptOutcome> {
    this.started(delivery, action);
    const outcome = await traceRun(this.tracing, delivery, action, (traced) => this.attempt(traced));
    this.announce(delivery, action, outcome);
    return outcome;
  }

  /** Deferred first; interactively where a waiting write was refused; again at once after a conflict. */
  private async attempt(action: RunnableAction): Promise<AttemptOutcome> {
    let deferred = true;
    for (let conflicts = 0; ;) {
      const outcome = await attemptAction(this.ports, action, deferred);
      if (outcome.kind === 'restart' && deferred) deferred = false;
      else if (outcome.kind !== 'conflict' || conflicts++ >= CONFLICTS_AT_ONCE) return outcome;
    }
  }

  private async end(delivery: Delivery, outcome: DeliveryOutcome): Promise<void> {
    const { backoffMs, attempts } = this.options.processing;
    const delayMs = backoff(delivery.attemptsMade, backoffMs);
    switch (outcome.kind) {
      case 'finished':
      case 'complete':
      case 'superseded':
        return void (await delivery.complete());
      case 'later':
        // The job goes, and comes back: waiting in its place it would keep the tenant's others waiting.
        await delivery.complete();
        return await this.dispatcher.later(delivery.tenantId, delivery.job, outcome.delayMs);
      case 'waits':
      case 'early':
        return await this.stepAside(delivery, outcome.kind);
      case 'cancelled':
        return void (await delivery.release());
      case 'leased':
        return void (await delivery.retry(LEASED_MS));
      case 'again':
        return void (await delivery.retry(outcome.afterMs || delayMs));
      default:
        if (delivery.attemptsMade + 1 >= attempts && (await this.bury(delivery, outcome))) return;
        this.retried(delivery, outcome, delayMs);
        return void (await delivery.retry(delayMs));
    }
  }

  /**
   * The job goes. `waits`: whoever ends what the action waits for brings it back; only then is asked whether that has
   * happened meanwhile: a job that comes back while the old one is there would be lost with it. `early`: the queue lost
   * what comes before it, or has it behind; the line is put in order again, and the job gets its place in it.
   */
  private async stepAside(delivery: Delivery, why: 'waits' | 'early'): Promise<void> {
    const { tenantId, job } = delivery;
    this.events.emit('action.waits', { tenantId, actionId: job.actionId });
    await delivery.complete();
    const lease = await this.tenancy.lease(tenantId);
    try {
      if (why === 'waits') await this.dispatcher.resume(lease, job.actionId);
      else await this.dispatcher.lineUp(lease, job);
    } finally {
      lease.release();
    }
  }

  /** Makes the action a dead letter; false where even that could not be written: the job is kept then. */
  private async bury(delivery: Delivery, outcome: DeliveryOutcome): Promise<boolean> {
    const { tenantId, job, attemptsMade } = delivery;
    const { actionId, scriptId, scriptVersion } = job;
    const result = outcome.kind === 'fault' && outcome.result ? { result: outcome.result } : {};
    try {
      const lease = await this.tenancy.lease(tenantId);
      try {
        await lease.sql.query(
          deadStatement({ actionId, scriptId, scriptVersion, attempts: attemptsMade + 1, ...result }),
        );
        await this.dispatcher.resume(lease, actionId);
      } finally {
        lease.release();
      }
    } catch (error) {
      this.events.emit('background.error', { where: 'dead letter', tenantId, error });
      return false;
    }
    this.events.emit('action.dead', { tenantId, actionId, error: errorOf(outcome) });
    await delivery.dead('attempts used up');
    return true;
  }

  /** A script that was disabled since still runs what was asked of it before; one that was deleted cannot. */
  private async skip(lease: TenantLease, delivery: Delivery): Promise<DeliveryOutcome> {
    const { actionId } = delivery.job;
    const { rowCount } = await lease.sql.query(deletedStatement(actionId));
    if (rowCount > 0) {
      this.events.emit('action.skipped', { tenantId: lease.tenantId, actionId, reason: 'the script was deleted' });
      await this.dispatcher.resume(lease, actionId);
    }
    return { kind: 'complete' };
  }

  /** Somebody else finished the action, or is at it with a lease, or it was not its turn in the line. */
  private async superseded(
    lease: TenantLease,
    { job: { actionId } }: Delivery,
    inLine = false,
  ): Promise<DeliveryOutcome> {
    const row = await readAction(lease, actionId);
    if (row && !row.finished && !row.leased && inLine) return { kind: 'early' };
    this.events.emit('action.superseded', { tenantId: lease.tenantId, actionId });
    if (row && !row.finished) return { kind: 'leased' };
    // Whoever finished it may have died before it let those behind it go.
    await this.dispatcher.resume(lease, actionId);
    return { kind: 'complete' };
  }

  private started({ tenantId, job, attemptsMade, claimedAt }: Delivery, { script }: RunnableAction): void {
    const waitedMs = Math.max(0, claimedAt - job.createdAt);
    this.events.emit('action.started', {
      tenantId,
      actionId: job.actionId,
      script: script.name,
      attempt: attemptsMade + 1,
      waitedMs,
    });
  }

  /** After a commit: the actions it asked for travel, its mails leave. */
  private announce({ tenantId, job, claimedAt }: Delivery, { script }: RunnableAction, attempt: AttemptOutcome): void {
    if (attempt.kind !== 'finished') return;
    const { committed, result } = attempt;
    const pending = committed.actions.filter(({ status }) => status === 'pending');
    if (committed.parked) this.events.emit('actions.parked', { tenantId, actionIds: pending.map(({ id }) => id) });
    else if (pending.length > 0) this.dispatcher.dispatch(tenantId, pending, committed.seq);
    for (const { id, status, error } of committed.actions)
      if (status === 'skipped')
        this.events.emit('action.skipped', { tenantId, actionId: id, reason: error?.message ?? '' });
    if (committed.emails > 0) this.mail.wake(tenantId);
    const about = { tenantId, actionId: job.actionId, script: script.name };
    this.events.emit('action.finished', { ...about, outcome: result.outcome, runMs: Date.now() - claimedAt });
  }

  private retried({ tenantId, job, attemptsMade }: Delivery, outcome: DeliveryOutcome, delayMs: number): void {
    const error = errorOf(outcome);
    this.events.emit('action.retried', { tenantId, actionId: job.actionId, attempt: attemptsMade + 1, error, delayMs });
  }
}

function errorOf(outcome: DeliveryOutcome): unknown {
  return outcome.kind === 'fault' ? outcome.error : outcome.kind;
}
