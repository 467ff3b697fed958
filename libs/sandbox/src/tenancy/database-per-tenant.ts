import { DataSource, type DataSourceOptions } from 'typeorm';
import type { Pool } from 'pg';
import {
  InvalidTenancyOptionError,
  TenancyClosedError,
  UnknownTenantError,
  UnsupportedDriverError,
} from '../errors/tenant.errors.js';
import { withColdConnection } from './cold-connection.js';
import { guardDataSource } from './guard-pool.js';
import { PgSqlPool } from './pg-sql-pool.js';
import type { SqlClient, SqlPool, Tenancy, TenantLease } from './tenancy.js';
import { assertTenantId } from './tenant-id.js';
import { ofTheHost } from './of-the-host.js';
import { TenantList, type Tenants } from './tenant-list.js';

/** What `databasePerTenant` takes. */
export interface DatabasePerTenantOptions {
  /** Ids of the tenants, or a function (possibly async) that lists them. */
  readonly tenants: Tenants;
  /** TypeORM's options for a tenant's own PostgreSQL database. Called once an opening. */
  readonly dataSource: (tenantId: string) => DataSourceOptions | Promise<DataSourceOptions>;
  /** Milliseconds a database stays open without a lease. Default 60,000. */
  readonly idleMs?: number;
  /** Most databases kept open without a lease; the one idle for longest is closed first. Default 200. */
  readonly maxIdle?: number;
}

/** Every DataSource that a tenancy of this process has made. */
const owned = new WeakSet<DataSource>();

/** Whether some tenancy of this process made the DataSource, and so looks after it. */
export function belongsToTenancy(dataSource: DataSource): boolean {
  return owned.has(dataSource);
}

/** A tenant's own PostgreSQL database: opened on demand, shared, leased, and closed when idle. */
export function databasePerTenant(options: DatabasePerTenantOptions): Tenancy {
  return new DatabasePerTenant(options);
}

/** An open database, or one that is being opened, and who holds it. */
interface Entry {
  readonly tenantId: string;
  readonly opening: Promise<{ readonly dataSource: DataSource; readonly sql: SqlPool }>;
  leases: number;
  /** `performance.now()` when the last lease came back. */
  idleSince: number;
}

class DatabasePerTenant implements Tenancy {
  readonly kind = 'database';
  private readonly list: TenantList;
  private readonly idleMs: number;
  private readonly maxIdle: number;
  private readonly open = new Map<string, Entry>();
  /** Entries without a lease, the one idle for longest first. */
  private readonly idle = new Map<string, Entry>();
  private readonly tenantIds = new WeakMap<DataSource, string>();
  private readonly listeners: ((lease: TenantLease) => Promise<void> | void)[] = [];
  private readonly closings = new Set<Promise<void>>();
  private drained: (() => void) | undefined;
  private sweeper: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(private readonly options: DatabasePerTenantOptions) {
    assertKnownOptions(options);
    this.list = new TenantList(options?.tenants);
    if (typeof options.dataSource !== 'function') {
      const remedy = "give a function: (tenantId) => ({ type: 'postgres', url: ... })";
      throw new InvalidTenancyOptionError('dataSource', options.dataSource, remedy);
    }
    this.idleMs = positive('idleMs', options.idleMs ?? 60_000);
    this.maxIdle = positive('maxIdle', options.maxIdle ?? 200);
  }

  tenants(): Promise<readonly string[]> {
    return this.list.all();
  }

  tenantOf(dataSource: DataSource): string | undefined {
    return this.tenantIds.get(dataSource);
  }

  onOpen(listener: (lease: TenantLease) => Promise<void> | void): void {
    this.listeners.push(listener);
  }

  async lease(tenantId: string): Promise<TenantLease> {
    assertTenantId(tenantId);
    if (this.closed) throw new TenancyClosedError(tenantId);
    const entry = this.open.get(tenantId) ?? this.openEntry(tenantId);
    // Counted before waiting, so that nobody closes the database between its opening and the lease.
    entry.leases += 1;
    this.idle.delete(tenantId);
    try {
      const { dataSource, sql } = await entry.opening;
      return leaseOf(tenantId, dataSource, sql, () => this.giveBack(entry));
    } catch (error) {
      this.giveBack(entry);
      throw error;
    }
  }

  async peek<T>(tenantId: string, fn: (sql: SqlClient) => Promise<T>): Promise<T> {
    assertTenantId(tenantId);
    if (this.closed) throw new TenancyClosedError(tenantId);
    const entry = this.open.get(tenantId);
    return entry ? fn((await entry.opening).sql) : withColdConnection(await this.optionsOf(tenantId), fn);
  }

  async close(drainMs = 10_000): Promise<void> {
    this.closed = true;
    clearTimeout(this.sweeper);
    await this.leasesBack(drainMs);
    for (const entry of this.open.values()) this.closeEntry(entry);
    await Promise.all(this.closings);
  }

  private openEntry(tenantId: string): Entry {
    const opening = this.openDatabase(tenantId);
    const entry: Entry = { tenantId, opening, leases: 0, idleSince: 0 };
    this.open.set(tenantId, entry);
    opening.catch(() => this.open.get(tenantId) === entry && this.open.delete(tenantId));
    return entry;
  }

  private async openDatabase(tenantId: string): Promise<{ dataSource: DataSource; sql: SqlPool }> {
    const dataSource = new DataSource(await this.optionsOf(tenantId));
    this.tenantIds.set(dataSource, tenantId);
    owned.add(dataSource);
    guardDataSource(dataSource);
    try {
      await dataSource.initialize();
      const sql = new PgSqlPool((dataSource.driver as unknown as { master: Pool }).master);
      for (const listener of this.listeners) await listener(leaseOf(tenantId, dataSource, sql, () => undefined));
      return { dataSource, sql };
    } catch (error) {
      if (dataSource.isInitialized) await dataSource.destroy().catch(() => undefined);
      throw error;
    }
  }

  private async optionsOf(tenantId: string): Promise<Extract<DataSourceOptions, { type: 'postgres' }>> {
    if (!(await this.list.has(tenantId))) throw new UnknownTenantError(tenantId);
    const options = await ofTheHost('dataSource', () => this.options.dataSource(tenantId));
    if (options?.type !== 'postgres') throw new UnsupportedDriverError(tenantId, options?.type);
    assertUrl(tenantId, options.url);
    return options;
  }

  private giveBack(entry: Entry): void {
    entry.leases -= 1;
    if (entry.leases > 0) return;
    if (this.open.get(entry.tenantId) === entry) this.putBack(entry);
    this.drained?.();
  }

  /** Lines the entry up to be closed. */
  private putBack(entry: Entry): void {
    entry.idleSince = performance.now();
    this.idle.set(entry.tenantId, entry);
    for (const oldest of this.idle.values()) {
      if (this.idle.size <= this.maxIdle) break;
      this.closeEntry(oldest);
    }
    this.armSweeper();
  }

  /** One timer for all tenants, due when the first of them is; never keeps the process alive. */
  private armSweeper(): void {
    const oldest = this.idle.values().next().value;
    if (this.sweeper || !oldest || this.closed) return;
    const delay = Math.max(oldest.idleSince + this.idleMs - performance.now(), Math.min(this.idleMs, 1_000) / 4);
    this.sweeper = setTimeout(() => this.sweep(), delay).unref();
  }

  private sweep(): void {
    this.sweeper = undefined;
    const due = performance.now() - this.idleMs;
    for (const entry of this.idle.values()) if (entry.idleSince <= due) this.closeEntry(entry);
    this.armSweeper();
  }

  private closeEntry(entry: Entry): void {
    this.idle.delete(entry.tenantId);
    this.open.delete(entry.tenantId);
    const closing = entry.opening
      .then(({ dataSource }) => dataSource.destroy())
      .catch(() => undefined)
      .finally(() => this.closings.delete(closing));
    this.closings.add(closing);
  }

  private async leasesBack(drainMs: number): Promise<void> {
    const held = () => [...this.open.values()].some((entry) => entry.leases > 0);
    if (!held()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, drainMs);
      this.drained = () => {
        if (held()) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function leaseOf(tenantId: string, dataSource: DataSource, sql: SqlPool, giveBack: () => void): TenantLease {
  let held = true;
  const release = () => {
    if (held) giveBack();
    held = false;
  };
  return { tenantId, dataSource, sql, release, [Symbol.asyncDispose]: async () => release() };
}

const OPTIONS: readonly string[] = ['tenants', 'dataSource', 'idleMs', 'maxIdle'];

function assertKnownOptions(options: object): void {
  for (const [option, value] of Object.entries(options ?? {})) {
    if (!OPTIONS.includes(option))
      throw new InvalidTenancyOptionError(option, value, `there is no such option; there are ${OPTIONS.join(', ')}`);
  }
}

/** What is no URL becomes some host's name in the driver: `undefined_acme`, where a variable is not set, asks for "base". */
function assertUrl(tenantId: string, url: string | undefined): void {
  if (url === undefined || /^postgres(ql)?:\/\/./.test(url)) return;
  const remedy = 'use a URL like "postgres://user:password@host:5432/database" (is the environment variable set?)';
  throw new InvalidTenancyOptionError(`dataSource("${tenantId}").url`, url.replace(/^.*@/, '***@'), remedy);
}

function positive(option: string, value: number): number {
  if (typeof value === 'number' && value >= 0) return value;
  throw new InvalidTenancyOptionError(option, value, 'give a number that is not negative');
}
