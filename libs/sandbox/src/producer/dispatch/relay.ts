import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { SandboxEvents } from '../../events/sandbox-events.js';
import { QUEUE_BACKEND, type QueueBackend } from '../../queue/queue-backend.js';
import {
  actionsForJobs,
  markQueued,
  parkActions,
  parkedActions,
  unparkActions,
  waitingActions,
  type JobRow,
  type WaitingRow,
} from '../../records/action.statements.js';
import { SANDBOX_OPTIONS, type SandboxOptions } from '../../sandbox.options.js';
import { SandboxContext } from '../../tenancy/sandbox-context.js';
import { TENANCY, type SqlClient, type Tenancy } from '../../tenancy/tenancy.js';
import { Backlog } from './backlog.js';
import { QueueDispatcher } from './dispatcher.js';
import { jobOfRow } from './job-of-action.js';

/** Unfinished actions looked at per tenant when all is well: the head of its line. */
const HEAD = 20;
/** Unfinished actions read at once when something was lost. */
const PAGE = 500;
/**
 * Every so many looks at a tenant whose line is longer than its head, all of it is looked at: for the action whose
 * writer died between its commit and the queue, behind others that wait rightly.
 */
const FULL_LOOK_EVERY = 15;
/**
 * Share of the interval that looks at tenants not in use may take; the rotation slows down before the process does. A look at
 * a closed database takes 4 to 8 ms, so a process looks at some 15 a second, and at 10,000 in 11 minutes; processes begin at
 * different places.
 */
const ROTATION_SHARE = 0.1;
/** Tenants that are remembered because they had unfinished actions when last looked at; they come before the rotation. */
const OPEN_KEPT = 10_000;
/** Share of `tenantsPerInterval` that those may take. */
const OPEN_SHARE = 0.5;
/** Milliseconds until the next round of all tenants when the last one found nothing. A closed database costs a connection. */
const QUIET_ROUND_MS = 5_000;
/** The tenant's database has no tables of ours yet. */
const UNDEFINED_TABLE = '42P01';

/**
 * Finds committed actions that never reached the queue (Redis was down, the writer died) or that the queue has lost (it
 * was flushed), and hands them over. Any number of relays may run at once: a job is added under its action's id.
 *
 * How soon: the first of a tenant's line is asked for at every look, and where the queue does not know it, all that are
 * behind it. Tenants that wrote in the last 30 s are looked at in every interval, those that this process last saw with
 * unfinished actions next, all others in turn.
 */
@Injectable()
export class Relay implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly looks = new Map<string, number>();
  /** Tenants with parked actions, which wait for room in the queue. */
  private readonly parking = new Set<string>();
  /** Tenants that had unfinished actions when last looked at; whoever was looked at goes to the end. */
  private readonly open = new Set<string>();
  private readonly backlog: Backlog;
  private rotation: string[] = [];
  private nextRoundAt = 0;
  private round = { tenants: 0, begunAt: 0 };
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private stopped = false;

  constructor(
    @Inject(SANDBOX_OPTIONS) private readonly options: SandboxOptions,
    @Inject(TENANCY) private readonly tenancy: Tenancy,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(QueueDispatcher) private readonly dispatcher: QueueDispatcher,
    @Inject(SandboxEvents) private readonly events: SandboxEvents,
  ) {
    this.backlog = new Backlog(backend, options.relay.backlog);
  }

  /** Starts the loop, in a process that writes or serves. */
  onApplicationBootstrap(): void {
    if (!this.options.capture.enabled && !this.options.processing.enabled) return;
    SandboxContext.exit(() => this.schedule());
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  /**
   * One interval's work: the tenants in use, then some of the others in turn. Returns how many actions were handed over.
   * Never rejects: what fails for one tenant is reported and tried again later.
   */
  async runOnce(): Promise<number> {
    const inUse = [...new Set([...this.dispatcher.tenantsInUse(), ...this.parking])];
    let found = 0;
    for (const tenantId of inUse) found += (await this.look(tenantId)) ?? 0;
    const share = this.options.relay.intervalMs * ROTATION_SHARE;
    found += await this.lookAtOpen(new Set(inUse), performance.now() + share * OPEN_SHARE);
    const until = performance.now() + share;
    for (const tenantId of await this.nextInTurn(new Set(inUse))) {
      const handedOver = (await this.look(tenantId)) ?? 0;
      if (handedOver > 0) this.nextRoundAt = 0;
      found += handedOver;
      this.rotation.shift();
      if (this.rotation.length === 0) this.endRound();
      if (performance.now() > until || this.stopped) break;
    }
    return found;
  }

  private async lookAtOpen(inUse: ReadonlySet<string>, until: number): Promise<number> {
    const most = Math.ceil(this.options.relay.tenantsPerInterval * OPEN_SHARE);
    let found = 0;
    for (const tenantId of [...this.open].filter((id) => !inUse.has(id)).slice(0, most)) {
      found += (await this.look(tenantId)) ?? 0;
      if (performance.now() > until || this.stopped) break;
    }
    return found;
  }

  /** Looks after one tenant; returns how many of its actions were handed over. Rejects when something is down. */
  async relayTenant(tenantId: string): Promise<number> {
    const peek = this.tenancy.peek?.bind(this.tenancy) ?? this.leased.bind(this);
    return peek(tenantId, (sql) => this.relayFrom(tenantId, sql));
  }

  private schedule(): void {
    this.timer = setTimeout(() => {
      this.running = this.runOnce().then(() => {
        if (!this.stopped) this.schedule();
      });
    }, this.options.relay.intervalMs);
    this.timer.unref();
  }

  /** The tenants that come next, at most `tenantsPerInterval`; a new list is fetched when the last one is used up. */
  private async nextInTurn(inUse: ReadonlySet<string>): Promise<string[]> {
    try {
      if (this.rotation.length === 0) await this.nextRound();
    } catch (error) {
      this.events.emit('background.error', { where: 'relay', error });
    }
    this.rotation = this.rotation.filter((tenantId) => !inUse.has(tenantId));
    return this.rotation.slice(0, this.options.relay.tenantsPerInterval);
  }

  private async nextRound(): Promise<void> {
    if (performance.now() < this.nextRoundAt) return;
    const tenants = await this.tenancy.tenants();
    const cut = Math.floor(Math.random() * tenants.length);
    this.rotation = [...tenants.slice(cut), ...tenants.slice(0, cut)];
    this.round = { tenants: tenants.length, begunAt: performance.now() };
    this.nextRoundAt = performance.now() + QUIET_ROUND_MS;
  }

  private endRound(): void {
    const { tenants, begunAt } = this.round;
    this.events.emit('relay.round', { tenants, tookMs: performance.now() - begunAt });
  }

  private async look(tenantId: string): Promise<number | undefined> {
    try {
      return await this.relayTenant(tenantId);
    } catch (error) {
      if ((error as { code?: string }).code === UNDEFINED_TABLE || this.stopped) return undefined;
      this.events.emit('background.error', { where: 'relay', tenantId, error });
      return undefined;
    }
  }

  private async leased<T>(tenantId: string, fn: (sql: SqlClient) => Promise<T>): Promise<T> {
    const lease = await this.tenancy.lease(tenantId);
    try {
      return await fn(lease.sql);
    } finally {
      lease.release();
    }
  }

  private async relayFrom(tenantId: string, sql: SqlClient): Promise<number> {
    const head = await this.waiting(sql, '0', HEAD);
    this.remember(tenantId, head.length > 0);
    const first = head.find(({ ripe }) => ripe);
    const firstLost = first !== undefined && !(await this.backend.known(tenantId, [first.id])).has(first.id);
    const worthAsking = ({ ripe, due }: WaitingRow): boolean => (firstLost ? ripe : due);
    let found = await this.handOver(tenantId, sql, head.filter(worthAsking));
    if (head[0]?.some_parked) found += await this.handOverParked(tenantId, sql);
    else this.parking.delete(tenantId);
    if (head.length < HEAD) {
      this.looks.delete(tenantId);
      return found;
    }
    const looks = (this.looks.get(tenantId) ?? 0) + 1;
    this.looks.set(tenantId, looks);
    if (found === 0 && looks % FULL_LOOK_EVERY !== 0) return 0;
    for (let page = head; page.length > 0 && !this.stopped;) {
      page = await this.waiting(sql, page.at(-1)?.seq ?? '0', PAGE);
      found += await this.handOver(tenantId, sql, page.filter(worthAsking));
    }
    return found;
  }

  private remember(tenantId: string, open: boolean): void {
    this.open.delete(tenantId);
    if (open && this.open.size < OPEN_KEPT) this.open.add(tenantId);
  }

  private async waiting(sql: SqlClient, afterSeq: string, limit: number): Promise<WaitingRow[]> {
    const { rows } = await sql.query<WaitingRow>(waitingActions(afterSeq, this.options.relay.afterMs, limit));
    return rows;
  }

  /** Adds those of the actions that the queue does not know; returns how many. */
  private async handOver(tenantId: string, sql: SqlClient, rows: readonly WaitingRow[]): Promise<number> {
    if (rows.length === 0) return 0;
    const ids = rows.map(({ id }) => id);
    const known = await this.backend.known(tenantId, ids);
    const lost = rows.filter(({ id }) => !known.has(id));
    const room = lost.length > 0 ? await this.backlog.room(tenantId) : 0;
    const parked = lost.slice(room).map(({ id }) => id);
    if (lost.length > 0) await this.add(tenantId, sql, lost.slice(0, room));
    if (parked.length > 0) await this.park(tenantId, sql, parked);
    await sql.query(markQueued(parked.length > 0 ? ids.filter((id) => !parked.includes(id)) : ids));
    return lost.length - parked.length;
  }

  private async park(tenantId: string, sql: SqlClient, actionIds: readonly string[]): Promise<void> {
    await sql.query(parkActions(actionIds));
    this.parking.add(tenantId);
    this.events.emit('actions.parked', { tenantId, actionIds });
  }

  /**
   * Hands over as many parked actions as there is room for, the oldest first. They are marked behind that: what is written
   * in between is parked behind them still.
   */
  private async handOverParked(tenantId: string, sql: SqlClient): Promise<number> {
    this.parking.add(tenantId);
    let handed = 0;
    for (let room = await this.backlog.room(tenantId); room > 0 && !this.stopped;) {
      const limit = Math.min(room, PAGE);
      const { rows } = await sql.query<JobRow>(parkedActions(limit));
      const actionIds = rows.map(({ id }) => id);
      if (rows.length > 0) {
        await this.backend.add(tenantId, rows.map(jobOfRow));
        await sql.query(unparkActions(actionIds));
        this.events.emit('actions.queued', { tenantId, actionIds, relayed: true });
      }
      handed += rows.length;
      room -= rows.length;
      if (rows.length < limit) break;
    }
    return handed;
  }

  private async add(tenantId: string, sql: SqlClient, lost: readonly WaitingRow[]): Promise<void> {
    if (lost.length === 0) return;
    const before = lost.filter(({ queued_at: queuedAt }) => queuedAt !== null).map(({ id }) => id);
    // A job may be left of it that is over for BullMQ, though not for us, and would keep the new one out.
    if (before.length > 0) await this.backend.remove(tenantId, before);
    const { rows } = await sql.query<JobRow>(actionsForJobs(lost.map(({ id }) => id)));
    if (rows.length === 0) return;
    await this.backend.add(tenantId, rows.map(jobOfRow));
    this.events.emit('actions.queued', { tenantId, actionIds: rows.map(({ id }) => id), relayed: true });
  }
}
