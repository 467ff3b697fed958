import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IQueueBackend } from 'bullmq';
import { MalformedJobError, TurnsStoppedError } from '../../errors/queue.errors.js';
import type { SandboxEvents } from '../../events/sandbox-events.js';
import type { QueueBackend } from '../../queue/queue-backend.js';
import { claimOf, discard, discardUnreadable, readFetched, type ClaimedJob, type Fetched } from './claimed-job.js';
import { HeldJob, type HeldJobHost } from './held-job.js';
import { HeldJobs } from './held-jobs.js';
import { LapsedJobs } from './lapsed-jobs.js';
import { LineLook } from './line-look.js';
import { LockKeeper } from './lock-keeper.js';
import { SignalBatch } from './signal-batch.js';
import { Slots } from './slots.js';
import { TenantLimits } from './tenant-limits.js';
import { TenantSweep } from './tenant-sweep.js';
import { UnderWay } from './under-way.js';
import { resolveTurnsOptions, type ResolvedTurnsOptions, type TurnsOptions } from './turns.options.js';
import type { DeliveryHandler, Turns } from './turns.js';

/** Milliseconds that one look into the ring waits for a tenant. */
const WAIT_MS = 1_000;
/** Tenants taken from the ring at once. */
const TAKE = 32;
/** Milliseconds until a delivery comes back that its handler left unended. */
const UNENDED_RETRY_MS = 1_000;
/** The part of the slots that only tenants get who have nothing in hand here, while several tenants are served. */
const RESERVED_PART = 1 / 16;
/** Milliseconds after which a tenant comes back that was sent away to keep the reserve. */
const SENT_AWAY_MS = 20;

/** What this process has in hand of a tenant: jobs, and fetches under way. */
interface InHand {
  count: number;
  /** The tenant was signalled while all it may have was in hand. */
  signalled: boolean;
  /** When it was last sent away although it may have more, to keep the reserve. */
  sentAwayAt: number;
}

/** Consecutive jobs of a tenant on one slot, each fetched while its predecessor ended. */
interface Chain {
  readonly tenantId: string;
  /** Jobs that ended. */
  served: number;
  /** Milliseconds that their handlers took. */
  busyMs: number;
}

/**
 * Turns over any `QueueBackend`.
 *
 * ```
 * ring ─take─► turn ─claim─► chain: job ─complete + fetch next─► job ─ ... ─► empty, or others wait: back to the ring
 * ```
 * - The loop takes as many tenants from the ring as there are free slots, and those it has put there itself, and gives each
 *   a turn. One that has nothing in hand and finds no slot goes back to the front.
 * - A turn claims one job, then two, then four, while they come, up to the tenant's limit: so a tenant with one job costs
 *   one fetch, and one with many gets its slots fast. A turn that ran out of slots puts its tenant at the end of the line.
 * - A chain goes on as long as slots are free; when all are taken it gives way after its quantum.
 * - Signals are hints. A turn that finds the tenant at its limit ends in silence, because whoever holds its jobs fetches
 *   the next one or signals when they end (a tenant at its limit looks empty: without this it would stop for good).
 */
export class QueueTurns implements Turns {
  private readonly options: ResolvedTurnsOptions;
  private readonly slots: Slots;
  private readonly limits: TenantLimits;
  private readonly signals: SignalBatch;
  private readonly locks: LockKeeper;
  private readonly sweep: TenantSweep;
  private readonly jobs = new HeldJobs();
  private readonly inHand = new Map<string, InHand>();
  private readonly lapsed: LapsedJobs;
  private readonly line: LineLook;
  private readonly work = new UnderWay((error) => this.fault(error));
  private readonly stopping = new AbortController();
  private readonly process = randomUUID();
  private tokens = 0;
  /**
   * Tenants put into the line since the last look although this process has jobs of theirs in hand. That many more are
   * taken than there are slots free: else a tenant with a single job waits behind them, four to a round trip.
   */
  private inLine = 0;
  private handler: DeliveryHandler | undefined;
  private loop: Promise<void> | undefined;
  private stopped: Promise<void> | undefined;

  constructor(
    private readonly queue: QueueBackend,
    options: TurnsOptions,
    private readonly events?: SandboxEvents,
  ) {
    this.options = resolveTurnsOptions(options);
    const { lockMs, checkMs, sweepPerSecond, tenants } = this.options;
    this.slots = new Slots(this.options.concurrency);
    this.limits = new TenantLimits(queue, this.options);
    this.signals = new SignalBatch(queue, (error) => this.fault(error));
    const onFault = (tenantId: string, error: unknown): void => this.fault(error, tenantId);
    this.locks = new LockKeeper(queue, this.jobs, { lockMs, checkMs, onFault });
    this.lapsed = new LapsedJobs(queue, checkMs);
    this.line = new LineLook(queue, (tenantId) => this.noteSignal(tenantId));
    this.sweep = new TenantSweep(queue, {
      tenants,
      perSecond: sweepPerSecond,
      leastRotationMs: checkMs,
      inHand: (tenantId) => this.inHand.has(tenantId),
      onFault: (error) => this.fault(error),
    });
  }

  get held(): number {
    return this.jobs.size;
  }

  start(handler: DeliveryHandler): void {
    if (this.loop || this.stopped) return;
    this.handler = handler;
    this.locks.start();
    this.sweep.start();
    this.loop = this.run();
  }

  stop(drainMs: number): Promise<void> {
    this.stopped ??= this.drain(drainMs);
    return this.stopped;
  }

  async pause(tenantId: string): Promise<void> {
    await this.queue.forTenant(tenantId).pause(true);
  }

  async resume(tenantId: string): Promise<void> {
    await this.queue.forTenant(tenantId).pause(false);
    await this.queue.ring.signal([tenantId]);
  }

  /** Looks at the next tenants of the sweep now. */
  async sweepOnce(): Promise<void> {
    await this.sweep.runOnce();
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await this.slots.available();
      if (signal.aborted) return;
      const tenantIds = await this.take(signal);
      this.beginTurns(tenantIds);
    }
  }

  /** First those that have nothing in hand here, back to the front where the slots do not do for them; then the others. */
  private beginTurns(tenantIds: readonly string[]): void {
    const fresh = tenantIds.filter((tenantId) => !this.inHand.has(tenantId));
    const others = tenantIds.filter((tenantId) => this.inHand.has(tenantId));
    const tooMany = fresh.splice(this.slots.free);
    for (const tenantId of [...fresh, ...others]) this.work.add(this.turn(tenantId));
    if (tooMany.length > 0) this.work.add(this.queue.ring.putBack(tooMany));
  }

  /** Tenants from the ring; none, after a while, as long as the queue cannot even be started. */
  private async take(signal: AbortSignal): Promise<readonly string[]> {
    const count = Math.min(TAKE, this.slots.free + this.inLine);
    this.inLine = 0;
    try {
      return await this.queue.ring.take(count, WAIT_MS, signal);
    } catch (error) {
      this.fault(error);
      await sleep(WAIT_MS, undefined, { signal }).catch(() => {});
      return [];
    }
  }

  private async turn(tenantId: string): Promise<void> {
    const ready = this.options.prepare(tenantId);
    if (ready) await ready;
    const limit = this.limits.concurrency(tenantId);
    const hand = this.handOf(tenantId);
    if (hand.count >= limit) return void this.noteSignal(tenantId);
    let found = true;
    for (let width = 1; found; width *= 2) {
      const count = this.slots.take(Math.min(width, this.room(hand, limit)));
      if (count === 0) break;
      hand.count += count;
      const claims = Array.from({ length: count }, () => this.claim(tenantId));
      found = (await Promise.all(claims)).every(Boolean);
    }
    // It stopped for want of slots, not of jobs.
    if (found && hand.count < limit) this.comeAgain(tenantId, hand);
    this.forgetIfIdle(tenantId);
  }

  /** Whether the tenant's slots here will look after it: when they end, it goes in line again. */
  private noteSignal(tenantId: string): boolean {
    const hand = this.inHand.get(tenantId);
    if (!hand || hand.count === 0) return false;
    return (hand.signalled = true);
  }

  /** Slots that the tenant may take now. */
  private room(hand: InHand, limit: number): number {
    if (this.stopping.signal.aborted) return 0;
    const reserve = hand.count === 0 ? 0 : this.reserve;
    return Math.min(limit - hand.count, this.slots.free - reserve);
  }

  /**
   * Slots kept for tenants that have nothing in hand, so that one with a single job finds a slot at once while others
   * flood. A tenant that is alone may have them all; with fewer than 16 slots there is no reserve.
   */
  private get reserve(): number {
    return this.inHand.size > 1 ? Math.floor(this.options.concurrency * RESERVED_PART) : 0;
  }

  /** A tenant that may have more than there are slots: other processes may have some, and this one when a job ends. */
  private comeAgain(tenantId: string, hand: InHand): void {
    if (this.slots.free === 0 || hand.count === 0) return this.signals.add(tenantId);
    // Free slots are the reserve: straight back into the line it would be taken again and again.
    hand.signalled = true;
    const now = Date.now();
    if (now - hand.sentAwayAt < SENT_AWAY_MS) return;
    hand.sentAwayAt = now;
    this.queue.ring.signalAt(tenantId, now + SENT_AWAY_MS).catch((error) => this.fault(error, tenantId));
  }

  /** Fetches one job on a slot already taken; false where there was none. */
  private async claim(tenantId: string): Promise<boolean> {
    const claimed = await this.fetch(tenantId).catch((error) => this.fault(error, tenantId));
    if (claimed) this.work.add(this.serve(claimed));
    else this.giveBack(tenantId);
    return claimed !== undefined;
  }

  private async fetch(tenantId: string): Promise<ClaimedJob | undefined> {
    const token = `${this.process}:${(this.tokens += 1)}`;
    const backend = this.queue.forTenant(tenantId);
    try {
      const applied = this.limits.apply(tenantId, backend);
      if (applied) await applied;
      const fetched = readFetched(await backend.moveToActive(token));
      if (fetched.jobId) return await this.accept(tenantId, fetched, token);
      await this.lookAgain(tenantId, fetched);
      if (this.handOf(tenantId).count <= 1 && (await this.lapsed.putBack(tenantId))) this.signals.add(tenantId);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      await this.unreadable(tenantId, backend, token);
    }
    return undefined;
  }

  /** The job that was fetched; one that cannot be served is removed, and the tenant signalled for those behind it. */
  private async accept(tenantId: string, fetched: Fetched, token: string): Promise<ClaimedJob | undefined> {
    const claimed = claimOf(tenantId, token, fetched);
    if (!(claimed instanceof MalformedJobError)) return claimed;
    this.fault(claimed, tenantId);
    await discard(this.queue.forTenant(tenantId), fetched.jobId, token, claimed.message);
    this.signals.add(tenantId);
    return undefined;
  }

  private async serve(first: ClaimedJob): Promise<void> {
    const { tenantId } = first;
    const chain: Chain = { tenantId, served: 0, busyMs: 0 };
    const host = this.hostOf(chain);
    try {
      this.limits.begun(tenantId, this.queue.forTenant(tenantId));
      for (let claimed: ClaimedJob | undefined = first; claimed;) {
        const job: HeldJob = new HeldJob(claimed, host);
        if (this.stopping.signal.aborted) await this.settled(job, () => job.release());
        else await this.hand(job);
        claimed = await this.nextOf(chain, claimed.token, job.next);
      }
    } finally {
      this.giveBack(tenantId);
    }
  }

  private async hand(job: HeldJob): Promise<void> {
    this.jobs.add(job);
    try {
      await this.handler?.(job);
    } catch (error) {
      this.fault(error, job.tenantId);
    }
    if (!job.ended) await this.settled(job, () => job.retry(UNENDED_RETRY_MS));
    this.jobs.delete(job);
  }

  private async nextOf(chain: Chain, token: string, next: Fetched | undefined): Promise<ClaimedJob | undefined> {
    if (!next) return undefined;
    if (next.jobId) return this.accept(chain.tenantId, next, token);
    await this.lookAgain(chain.tenantId, next);
    return undefined;
  }

  /** Nothing to fetch now: puts the tenant in the ring for when there will be. */
  private async lookAgain(tenantId: string, { limitedMs, delayedUntil }: Fetched): Promise<void> {
    const at = limitedMs > 0 ? Date.now() + limitedMs : delayedUntil;
    if (at > 0) await this.queue.ring.signalAt(tenantId, at);
  }

  private async unreadable(tenantId: string, backend: IQueueBackend, token: string): Promise<void> {
    try {
      const jobId = await discardUnreadable(backend, token);
      this.fault(new MalformedJobError(tenantId, jobId ?? 'unknown', 'BullMQ cannot read it'), tenantId);
    } catch (error) {
      this.fault(error, tenantId);
    }
    this.signals.add(tenantId);
  }

  private hostOf(chain: Chain): HeldJobHost {
    const { tenantId } = chain;
    const backend = this.queue.forTenant(tenantId);
    return {
      backend,
      sequential: this.limits.concurrency(tenantId) === 1,
      goesOn: (busyMs) => this.goesOn(chain, busyMs),
      signal: () => this.toTheEnd(tenantId, 1),
      signalAt: (atMs) => this.queue.ring.signalAt(tenantId, atMs),
      hold: (delayMs) => this.limits.hold(tenantId, delayMs),
      lost: (jobId) => this.events?.emit('lease.lost', { tenantId, actionId: jobId }),
      unreadable: (token) => this.unreadable(tenantId, backend, token),
    };
  }

  /**
   * With slots to spare nobody waits for this one; else the chain has its quantum, and more while nobody waits. Only the handlers' time counts: under
   * load most of a job's time is the queue's own, and giving way then would only add to that.
   */
  private goesOn(chain: Chain, busyMs: number): boolean {
    chain.served += 1;
    chain.busyMs += busyMs;
    if (this.stopping.signal.aborted) return false;
    const { tenantId } = chain;
    if (this.handOf(tenantId).count > this.limits.concurrency(tenantId)) return false;
    if (this.slots.free > this.reserve) return true;
    const weight = this.options.tenantWeight(tenantId);
    const { quantumJobs, quantumMs } = this.options;
    if (chain.served < quantumJobs * weight && chain.busyMs < quantumMs * weight) return true;
    return this.inHand.size === 1 && this.line.isEmpty();
  }

  private async drain(drainMs: number): Promise<void> {
    this.stopping.abort();
    this.slots.wake();
    await this.loop;
    this.sweep.stop();
    if (!(await this.endWithin(drainMs))) {
      const reason = new TurnsStoppedError(drainMs);
      await Promise.all([...this.jobs].map((job) => (job.abort(reason), this.settled(job, () => job.release()))));
    }
    this.locks.stop();
    await this.signals.flush();
  }

  private async endWithin(drainMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), drainMs)));
    const ended = await Promise.race([this.work.none().then(() => true), late]);
    clearTimeout(timer);
    return ended;
  }

  private async settled(job: HeldJob, end: () => Promise<boolean>): Promise<void> {
    await end().catch((error) => this.fault(error, job.tenantId));
  }

  private handOf(tenantId: string): InHand {
    const known = this.inHand.get(tenantId);
    if (known) return known;
    const hand = { count: 0, signalled: false, sentAwayAt: 0 };
    this.inHand.set(tenantId, hand);
    return hand;
  }

  private giveBack(tenantId: string): void {
    const hand = this.handOf(tenantId);
    hand.count -= 1;
    // Signalled after this slot had looked for the last time: nobody else will.
    if (hand.signalled) this.toTheEnd(tenantId, 0);
    hand.signalled = false;
    this.forgetIfIdle(tenantId);
    this.slots.give();
  }

  /** Puts a tenant at the end of the line, of which this process has `own` jobs in hand that are ending. */
  private toTheEnd(tenantId: string, own: number): void {
    this.signals.add(tenantId);
    if ((this.inHand.get(tenantId)?.count ?? 0) > own) this.inLine += 1;
  }

  private forgetIfIdle(tenantId: string): void {
    if (this.inHand.get(tenantId)?.count === 0) this.inHand.delete(tenantId);
  }

  private fault(error: unknown, tenantId?: string): void {
    this.events?.emit('background.error', { where: 'turns', ...(tenantId ? { tenantId } : {}), error });
  }
}
