import { Inject, Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { SCRIPT_POOL, type ScriptPool } from '../processor/pool/script-pool.js';
import { QUEUE_BACKEND, type QueueBackend } from '../queue/queue-backend.js';
import { relayLag } from '../records/action.queries.js';
import { type SqlClient, TENANCY, type Tenancy } from '../tenancy/tenancy.js';
import { settledWithin } from './settled-within.js';

/** How the queue is looked at. */
export interface QueueHealthOptions {
  /** Milliseconds it may take to answer. Default 2,000. */
  readonly timeoutMs?: number;
}

/** How the relay is looked at. */
export interface RelayHealthOptions {
  /** Milliseconds that a committed action may wait for being handed to the queue. Default 60,000. */
  readonly maxLagMs?: number;
  /** Tenants looked at a check, the next ones at the next check. Default 20. */
  readonly tenantsPerCheck?: number;
  /** Milliseconds a check may take. Default 5,000. */
  readonly timeoutMs?: number;
}

/** How the pool is looked at. */
export interface PoolHealthOptions {
  /** Runs that may wait for a thread. Default 1,000. */
  readonly maxWaiting?: number;
}

/** The tenant's database has no tables of the library yet: nothing can wait in it. */
const UNDEFINED_TABLE = '42P01';

/** Terminus indicators: each says `down`, with the figure and the bound, when something needs a look. */
@Injectable()
export class SandboxHealthIndicator {
  private rotation: string[] = [];

  constructor(
    @Inject(HealthIndicatorService) private readonly health: HealthIndicatorService,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(TENANCY) private readonly tenancy: Tenancy,
    @Inject(SCRIPT_POOL) private readonly threads: ScriptPool,
  ) {}

  /** Whether the queue backend answers. */
  async queue(key = 'queue', { timeoutMs = 2_000 }: QueueHealthOptions = {}): Promise<HealthIndicatorResult> {
    const { kind } = this.backend;
    const startedAt = performance.now();
    const answer = await settledWithin(timeoutMs, () => this.backend.deployments.since(undefined));
    if (!answer.ok) return this.health.check(key).down({ kind, message: answer.message });
    return this.health.check(key).up({ kind, answeredInMs: Math.round(performance.now() - startedAt) });
  }

  /** Whether committed actions reach the queue: the longest wait among the tenants whose turn it is to be looked at. */
  async relay(key = 'relay', options: RelayHealthOptions = {}): Promise<HealthIndicatorResult> {
    const { maxLagMs = 60_000, tenantsPerCheck = 20, timeoutMs = 5_000 } = options;
    const lags = await settledWithin(timeoutMs, async () => {
      const tenantIds = await this.nextTenants(tenantsPerCheck);
      return Promise.all(tenantIds.map((tenantId) => this.lagOf(tenantId)));
    });
    if (!lags.ok) return this.health.check(key).down({ message: lags.message });
    const lagMs = Math.round(Math.max(0, ...lags.value));
    const data = { lagMs, maxLagMs, tenantsLookedAt: lags.value.length };
    return lagMs > maxLagMs ? this.health.check(key).down(data) : this.health.check(key).up(data);
  }

  /** Whether runs find threads. */
  pool(key = 'pool', { maxWaiting = 1_000 }: PoolHealthOptions = {}): HealthIndicatorResult {
    const data = { ...this.threads.stats(), maxWaiting };
    return data.waiting > maxWaiting ? this.health.check(key).down(data) : this.health.check(key).up(data);
  }

  private async nextTenants(count: number): Promise<string[]> {
    if (this.rotation.length === 0) this.rotation = [...(await this.tenancy.tenants())];
    return this.rotation.splice(0, count);
  }

  private async lagOf(tenantId: string): Promise<number> {
    try {
      const { rows } = await this.peek(tenantId, (sql) => sql.query<{ lag_ms: string }>(relayLag));
      return Number(rows[0]?.lag_ms ?? 0);
    } catch (error) {
      if ((error as { code?: unknown }).code === UNDEFINED_TABLE) return 0;
      throw error;
    }
  }

  private async peek<T>(tenantId: string, fn: (sql: SqlClient) => Promise<T>): Promise<T> {
    if (this.tenancy.peek) return this.tenancy.peek(tenantId, fn);
    const lease = await this.tenancy.lease(tenantId);
    try {
      return await fn(lease.sql);
    } finally {
      lease.release();
    }
  }
}
