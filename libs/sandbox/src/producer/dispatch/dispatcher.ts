import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { SandboxEvents } from '../../events/sandbox-events.js';
import type { ActionJob } from '../../protocol/job.js';
import type { ActionDispatcher } from '../../queue/action-dispatcher.js';
import { QUEUE_BACKEND, type QueueBackend } from '../../queue/queue-backend.js';
import type { NewAction } from '../../records/action.record.js';
import { type JobRow, lineUpTo, parkActions, unparkActions } from '../../records/action.statements.js';
import { freedBy } from '../../records/order.statements.js';
import { SANDBOX_OPTIONS, type SandboxOptions } from '../../sandbox.options.js';
import { SandboxContext } from '../../tenancy/sandbox-context.js';
import { TENANCY, type Tenancy, type TenantLease } from '../../tenancy/tenancy.js';
import { Backlog } from './backlog.js';
import { jobOfAction, jobOfRow } from './job-of-action.js';
import { QueuedMarks } from './queued-marks.js';

/** Actions handed to the queue in one call. */
const MOST_AT_ONCE = 500;
/** Actions that wait for a slow queue per tenant; further ones are left to the relay, which reads them from their rows. */
const MOST_WAITING = 10_000;
/**
 * Least milliseconds between two calls to the queue for a tenant: at least the first number, for each action of the last
 * call the second, at most the third. A first write is handed over at once; those of a writer that saves without a pause go
 * together, and its processors have work meanwhile. A call takes 140 us of the process and 18 us more for each action.
 */
const PAUSE_MS = { least: 6, perAction: 3, most: 20 };
/**
 * Milliseconds for which a tenant's actions are parked after some were: those that were written just before the others
 * were marked do not know yet that they come behind them.
 */
const PARKING_MS = 500;
/** Milliseconds for which a tenant counts as in use after its last write. */
const IN_USE_MS = 30_000;

/** A tenant's actions on their way to the queue, each with the number of its transaction's first one. */
interface Line {
  waiting: { readonly seq: number; readonly action: NewAction }[];
  running: Promise<void> | undefined;
}

/**
 * Hands committed actions to the queue. Whatever is committed within one turn of the event loop, or while the tenant's
 * last call is under way, goes together; one call a tenant at a time keeps the order of the commits.
 */
@Injectable()
export class QueueDispatcher implements ActionDispatcher, OnModuleDestroy {
  private readonly lines = new Map<string, Line>();
  private readonly lastUse = new Map<string, number>();
  /** When the next call for a tenant may be made, on the clock of `performance.now()`. */
  private readonly nextAdd = new Map<string, number>();
  private readonly parkingUntil = new Map<string, number>();
  private readonly backlog: Backlog;
  private readonly marks: QueuedMarks;

  constructor(
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(TENANCY) private readonly tenancy: Tenancy,
    @Inject(SandboxEvents) private readonly events: SandboxEvents,
    @Inject(SANDBOX_OPTIONS) { relay }: SandboxOptions,
  ) {
    this.backlog = new Backlog(backend, relay.backlog);
    this.marks = new QueuedMarks(tenancy, events);
  }

  dispatch(tenantId: string, actions: readonly NewAction[], seq = 0): void {
    if (actions.length === 0) return;
    this.lastUse.set(tenantId, Date.now());
    const line = this.lineOf(tenantId);
    if (line.waiting.length + actions.length > MOST_WAITING) return;
    for (const action of actions) line.waiting.push({ seq, action });
    // The immediate, and all that follows from it, must not run inside the writer's request.
    line.running ??= SandboxContext.exit(() => this.drain(tenantId, line));
  }

  /** To the front of the line: they had their turn, and stepped aside. */
  async resume(lease: TenantLease, actionId: string): Promise<void> {
    const { tenantId } = lease;
    try {
      const { rows } = await lease.sql.query<JobRow>(freedBy(actionId));
      if (rows.length === 0) return;
      // The last one added is the first one taken.
      await this.backend.add(tenantId, rows.map((row) => ({ ...jobOfRow(row), front: true })).toReversed());
      this.events.emit('actions.queued', { tenantId, actionIds: rows.map(({ id }) => id), relayed: false });
    } catch (error) {
      this.events.emit('background.error', { where: 'resume', tenantId, error });
    }
  }

  async lineUp(lease: TenantLease, job: ActionJob): Promise<void> {
    const { tenantId, sql } = lease;
    try {
      const { rows } = await sql.query<JobRow & { parked: boolean }>(lineUpTo(job.actionId, MOST_AT_ONCE));
      if (rows.length === 0) return;
      const actionIds = rows.map(({ id }) => id);
      const known = await this.backend.known(tenantId, actionIds);
      await this.backend.remove(tenantId, [...known]);
      // With so many before it that it is not among them, its place is the end of the line.
      const last = rows.length === MOST_AT_ONCE && !actionIds.includes(job.actionId) ? [{ job }] : [];
      const first = rows.map((row) => ({ ...jobOfRow(row), front: true })).toReversed();
      await this.backend.add(tenantId, [...last, ...first]);
      if (rows.some(({ parked }) => parked)) await sql.query(unparkActions(actionIds));
      this.events.emit('actions.queued', { tenantId, actionIds, relayed: false });
    } catch (error) {
      this.events.emit('background.error', { where: 'line up', tenantId, error });
    }
  }

  async later(tenantId: string, job: ActionJob, delayMs: number): Promise<void> {
    try {
      await this.backend.add(tenantId, [{ job, delayMs }]);
    } catch (error) {
      this.events.emit('background.error', { where: 'later', tenantId, error });
    }
  }

  /** Tenants that wrote lately; the relay looks after them first. */
  tenantsInUse(): string[] {
    const since = Date.now() - IN_USE_MS;
    for (const [tenantId, at] of this.lastUse) {
      if (at >= since) continue;
      this.lastUse.delete(tenantId);
      this.nextAdd.delete(tenantId);
      this.parkingUntil.delete(tenantId);
    }
    return [...this.lastUse.keys()];
  }

  /** Resolves when everything dispatched so far has been handed over, or given up to the relay. */
  async idle(): Promise<void> {
    await Promise.all([...this.lines.values()].map(({ running }) => running ?? Promise.resolve()));
    await this.marks.flush();
  }

  onModuleDestroy(): Promise<void> {
    return this.idle();
  }

  private lineOf(tenantId: string): Line {
    let line = this.lines.get(tenantId);
    if (!line) this.lines.set(tenantId, (line = { waiting: [], running: undefined }));
    return line;
  }

  private async drain(tenantId: string, line: Line): Promise<void> {
    while (line.waiting.length > 0) {
      await this.company(tenantId, line);
      // The answers to commits come in any order; a sort keeps what is in order as it is.
      const batch = line.waiting.sort((one, other) => one.seq - other.seq).slice(0, MOST_AT_ONCE);
      const actions = batch.map(({ action }) => action);
      if (await this.add(tenantId, actions)) line.waiting.splice(0, batch.length);
      // In order or not at all: what comes after a failure waits for the relay, too.
      else line.waiting = [];
      const pause = Math.max(PAUSE_MS.least, PAUSE_MS.perAction * batch.length);
      this.nextAdd.set(tenantId, performance.now() + Math.min(pause, PAUSE_MS.most));
    }
    this.lines.delete(tenantId);
  }

  /** Waits for actions that may go with those of the line. */
  private company(tenantId: string, { waiting }: Line): Promise<unknown> {
    const pause = (this.nextAdd.get(tenantId) ?? 0) - performance.now();
    return pause > 0 && waiting.length < MOST_AT_ONCE ? sleep(pause) : immediate();
  }

  /** Adds those that there is room for, and parks the rest. */
  private async add(tenantId: string, batch: readonly NewAction[]): Promise<boolean> {
    try {
      const parking = performance.now() < (this.parkingUntil.get(tenantId) ?? 0);
      const room = parking ? 0 : await this.backlog.take(tenantId, batch.length);
      await this.addAll(tenantId, batch.slice(0, room));
      await this.park(tenantId, batch.slice(room));
      return true;
    } catch (error) {
      this.events.emit('dispatch.failed', { tenantId, count: batch.length, error });
      return false;
    }
  }

  private async park(tenantId: string, actions: readonly NewAction[]): Promise<void> {
    if (actions.length === 0) return;
    const actionIds = actions.map(({ id }) => id);
    const lease = await this.tenancy.lease(tenantId);
    try {
      await lease.sql.query(parkActions(actionIds));
    } finally {
      lease.release();
    }
    this.parkingUntil.set(tenantId, performance.now() + PARKING_MS);
    this.events.emit('actions.parked', { tenantId, actionIds });
  }

  private async addAll(tenantId: string, batch: readonly NewAction[]): Promise<void> {
    if (batch.length === 0) return;
    const actionIds = batch.map(({ id }) => id);
    const createdAt = Date.now();
    await this.backend.add(
      tenantId,
      batch.map((action) => jobOfAction(action, createdAt)),
    );
    this.events.emit('actions.queued', { tenantId, actionIds, relayed: false });
    this.marks.add(tenantId, actionIds);
  }
}
