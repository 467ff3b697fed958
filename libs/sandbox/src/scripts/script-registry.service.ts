import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { QueueUnavailableError } from '../errors/queue.errors.js';
import { SandboxEvents } from '../events/sandbox-events.js';
import { QUEUE_BACKEND, type QueueBackend } from '../queue/queue-backend.js';
import { within } from '../queue/within.js';
import { scriptsInForce, type ScriptInForceRow } from '../records/script.statements.js';
import type { TenantLease } from '../tenancy/tenancy.js';
import { EntityCatalog } from './entity-catalog.js';
import type { ScriptRegistry, TriggerIndex } from './script-registry.js';
import { buildTriggerIndex, weightOf } from './trigger-index.js';
import { WeightedLru } from './weighted-lru.js';

/** Milliseconds between two looks at the deployments. */
const LOOK_MS = 250;
/** Milliseconds after which a look is given up and the next one begins. */
const PATIENCE_MS = 2_000;
/** Milliseconds after the start of a look for which its answer is relied on: a deploy is in force within a second. */
const TRUST_MS = 750;
/**
 * Milliseconds after which a cached index is compared with the tenant's revision though nothing was announced: whoever
 * deployed may have died between its commit and its announcement.
 */
const RECHECK_MS = 10_000;
/** Bytes of script texts kept. A process in touch with 10,000 tenants of three 1 KiB scripts stays below it. */
const MOST_CACHED_BYTES = 64 * 1024 * 1024;

interface Entry {
  readonly index: TriggerIndex;
  readonly weight: number;
  /** When the statement that last confirmed it began. */
  confirmedAt: number;
  /** False once a deployment was announced, until the revision was compared. */
  trusted: boolean;
}

/**
 * The scripts in force, cached per tenant while the deployments are followed. What is cached is trusted if a look at the
 * deployments began less than 750 ms ago and announced nothing about the tenant since; otherwise `load` asks the
 * tenant's database, which costs one statement and re-reads the scripts only if the revision moved.
 */
@Injectable()
export class ScriptRegistryService implements ScriptRegistry, OnModuleInit, OnModuleDestroy {
  private readonly entries = new WeightedLru<string, Entry>(MOST_CACHED_BYTES);
  private readonly loads = new Map<string, Promise<TriggerIndex>>();
  private cursor: string | undefined;
  private followedUntil = 0;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private failing = false;

  constructor(
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(SandboxEvents) private readonly events: SandboxEvents,
  ) {}

  onModuleInit(): void {
    void this.follow();
  }

  onModuleDestroy(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  cached(tenantId: string): TriggerIndex | undefined {
    const now = performance.now();
    if (now > this.followedUntil) return undefined;
    const entry = this.entries.get(tenantId);
    return entry?.trusted && now - entry.confirmedAt < RECHECK_MS ? entry.index : undefined;
  }

  load(lease: TenantLease): Promise<TriggerIndex> {
    const { tenantId } = lease;
    const cached = this.cached(tenantId);
    if (cached) return Promise.resolve(cached);
    const running = this.loads.get(tenantId);
    if (running) return running;
    const load: Promise<TriggerIndex> = this.read(lease, () => this.loads.get(tenantId) === load).finally(() => {
      if (this.loads.get(tenantId) === load) this.loads.delete(tenantId);
    });
    this.loads.set(tenantId, load);
    return load;
  }

  /** Takes note that the tenant's scripts changed: nothing read before this call is relied on afterwards. */
  invalidate(tenantId: string): void {
    this.loads.delete(tenantId);
    const entry = this.entries.get(tenantId);
    if (entry) entry.trusted = false;
  }

  /** One look at the deployments. Rejects when the queue backend cannot be reached. */
  async runOnce(): Promise<void> {
    const startedAt = performance.now();
    const { cursor, tenantIds, lost } = await this.deploymentsSince(this.cursor);
    if (lost || this.cursor === undefined) this.invalidateAll();
    else for (const tenantId of tenantIds) this.invalidate(tenantId);
    this.cursor = cursor;
    this.followedUntil = startedAt + TRUST_MS;
  }

  /** Bounded, because an answer that never comes must not be the last one this process waits for. */
  private deploymentsSince(cursor: string | undefined) {
    const late = () => new QueueUnavailableError(this.backend.kind, 'read the deployments', PATIENCE_MS);
    return within(this.backend.deployments.since(cursor), PATIENCE_MS, late);
  }

  /** Nothing that was announced before the first cursor, or while the log was lost, was heard. */
  private invalidateAll(): void {
    this.loads.clear();
    for (const entry of this.entries.values()) entry.trusted = false;
  }

  private async follow(): Promise<void> {
    try {
      await this.runOnce();
      this.failing = false;
    } catch (error) {
      if (!this.failing && !this.stopped) this.events.emit('background.error', { where: 'deployments', error });
      this.failing = true;
    }
    if (this.stopped) return;
    this.timer = setTimeout(() => void this.follow(), LOOK_MS);
    this.timer.unref();
  }

  /** `valid` says whether the scripts did not change under the read: then its answer is worth keeping. */
  private async read(lease: TenantLease, valid: () => boolean): Promise<TriggerIndex> {
    const known = this.entries.get(lease.tenantId);
    const confirmedAt = performance.now();
    const { rows } = await lease.sql.query<ScriptInForceRow>(scriptsInForce(known?.index.revision ?? -1));
    if (known && Number(rows[0]?.revision) === known.index.revision) {
      if (valid()) Object.assign(known, { confirmedAt, trusted: true });
      return known.index;
    }
    const index = buildTriggerIndex(lease.tenantId, rows, EntityCatalog.of(lease.dataSource));
    if (valid()) this.entries.set(lease.tenantId, { index, weight: weightOf(rows), confirmedAt, trusted: true });
    return index;
  }
}
