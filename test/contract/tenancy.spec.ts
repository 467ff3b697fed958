// databasePerTenant keeps the contract of a tenancy, and the contract catches tenancies that do not.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { tenancyContract, type TenancyContractSetup } from '../../libs/sandbox/src/testing/tenancy-contract.js';
import { SandboxContext } from '../../libs/sandbox/src/tenancy/sandbox-context.js';
import { TenantDataSources } from '../../libs/sandbox/src/tenancy/tenant-data-sources.js';
import { databasePerTenant } from '../../libs/sandbox/src/tenancy/database-per-tenant.js';
import { PgSqlPool } from '../../libs/sandbox/src/tenancy/pg-sql-pool.js';
import type { Tenancy, TenantLease } from '../../libs/sandbox/src/tenancy/tenancy.js';
import { createDatabase } from '../support/postgres.mjs';
import { until } from '../support/processes.mjs';

const IDS = ['acme', 'globex'] as const;
const urls = new Map<string, string>();
const optionsOf = (tenantId: string) => ({
  type: 'postgres' as const,
  url: urls.get(tenantId) as string,
  poolSize: 3,
  extra: { allowExitOnIdle: true },
});
const setup = (create: TenancyContractSetup['create']): TenancyContractSetup => ({
  create,
  tenants: IDS,
  unknownTenant: 'nobody',
});

beforeAll(async () => {
  const name = `tenancy_${randomBytes(6).toString('hex')}`;
  for (const id of IDS) urls.set(id, await createDatabase(process.env['TEST_DATABASE_URL'] as string, `${name}_${id}`));
});

describe('databasePerTenant', () => {
  const cases = tenancyContract(
    setup(({ idleMs }) => databasePerTenant({ tenants: [...IDS], dataSource: optionsOf, idleMs })),
  );
  it.each(cases.map((rule) => [rule.title, rule] as const))('%s', (_, rule) => rule.run());

  it('asks a function for the tenants, and again for one it does not know', async () => {
    const listed: string[] = ['acme'];
    let asked = 0;
    const tenancy = databasePerTenant({ tenants: async () => ((asked += 1), [...listed]), dataSource: optionsOf });
    (await tenancy.lease('acme')).release();
    await expect(tenancy.lease('globex')).rejects.toMatchObject({ code: 'SANDBOX_UNKNOWN_TENANT' });
    listed.push('globex');
    (await tenancy.lease('globex')).release();
    expect(asked).toBe(3);
    await tenancy.close(0);
  });

  it('refuses options that make no sense, where it is called', () => {
    const refuse = (options: object) =>
      expect(() => databasePerTenant(options as never)).toThrow(/databasePerTenant: option/);
    refuse({ tenants: 'acme', dataSource: optionsOf });
    refuse({ tenants: [], dataSource: {} });
    refuse({ tenants: [], dataSource: optionsOf, idleMs: -1 });
    refuse({ tenants: [], dataSource: optionsOf, idle: 5 });
    expect(() => databasePerTenant({ tenants: ['a b'], dataSource: optionsOf })).toThrow(/Invalid tenant id "a b"/);
  });

  it('refuses a driver other than PostgreSQL', async () => {
    const tenancy = databasePerTenant({
      tenants: ['acme'],
      dataSource: () => ({ type: 'better-sqlite3', database: ':memory:' }) as never,
    });
    await expect(tenancy.lease('acme')).rejects.toMatchObject({ code: 'SANDBOX_UNSUPPORTED_DRIVER' });
  });

  it('refuses a URL that is none, as of a variable that is not set, and keeps what may be a password to itself', async () => {
    const opening = (url: string) =>
      databasePerTenant({ tenants: ['acme'], dataSource: () => ({ type: 'postgres', url }) }).lease('acme');
    const code = 'SANDBOX_INVALID_TENANCY_OPTION';
    const message = expect.stringContaining('dataSource("acme").url" cannot be "undefined_acme"');
    await expect(opening('undefined_acme')).rejects.toMatchObject({ code, message });
    const masked = expect.stringContaining('"***@host/db"');
    await expect(opening('mysql://user:secret@host/db')).rejects.toMatchObject({ code, message: masked });
  });

  it.each(['tenants', 'dataSource'])("says that it was the host's function %s which threw", async (option) => {
    const cause = new Error('the vault is sealed');
    const fail = () => Promise.reject(cause);
    const options = { tenants: ['acme'], dataSource: optionsOf, [option]: fail };
    const code = 'SANDBOX_TENANCY_FUNCTION';
    const message = expect.stringContaining(`function "${option}" threw: the vault is sealed`);
    await expect(databasePerTenant(options).lease('acme')).rejects.toMatchObject({ code, message, cause });
  });

  it('closes the database that was idle for longest when more than maxIdle are', async () => {
    const tenancy = databasePerTenant({ tenants: [...IDS], dataSource: optionsOf, maxIdle: 1 });
    const [first, second] = [await tenancy.lease('acme'), await tenancy.lease('globex')];
    first.release();
    second.release();
    await until(() => !first.dataSource.isInitialized);
    expect(second.dataSource.isInitialized).toBe(true);
    await tenancy.close(0);
  });

  it('leaves no connection and no timer behind', async () => {
    const tenancy = databasePerTenant({ tenants: [...IDS], dataSource: optionsOf, idleMs: 5 });
    await Promise.all(IDS.map(async (id) => (await tenancy.lease(id)).release()));
    await tenancy.close();
    const client = new pg.Client({ connectionString: process.env['TEST_DATABASE_URL'] });
    await client.connect();
    const names = [...urls.values()].map((url) => new URL(url).pathname.slice(1));
    const open = () => client.query('select pid from pg_stat_activity where datname = any($1)', [names]);
    // the server takes a moment to notice
    await until(async () => (await open()).rowCount === 0);
    await client.end();
  });
});

describe('TenantDataSources', () => {
  it('lends the DataSource for as long as the function works, in the context of tenant and user', async () => {
    const tenancy = databasePerTenant({ tenants: [...IDS], dataSource: optionsOf, idleMs: 1 });
    const dataSources = new TenantDataSources(tenancy);
    const values = await dataSources.run('acme', { userId: 'u' }, async (dataSource) => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      await dataSource.query('select 1');
      return SandboxContext.current();
    });
    expect(values).toEqual({ tenantId: 'acme', userId: 'u' });
    await expect(dataSources.run('globex', () => Promise.reject(new RangeError('mine')))).rejects.toThrow(RangeError);
    await expect(dataSources.run('a b', () => 1)).rejects.toMatchObject({ code: 'SANDBOX_INVALID_TENANT_ID' });
    await tenancy.close(100);
  });
});

/** A tenancy whose every virtue can be switched off. */
class NaiveTenancy implements Tenancy {
  readonly kind = 'database';
  private readonly open = new Map<string, Promise<DataSource>>();
  private readonly listeners: ((lease: TenantLease) => Promise<void> | void)[] = [];
  private readonly owners = new Map<DataSource, string>();
  private readonly all: DataSource[] = [];
  private closed = false;

  constructor(
    private readonly fault: string,
    private readonly idleMs: number,
  ) {}

  async tenants() {
    return [...IDS];
  }

  async lease(tenantId: string): Promise<TenantLease> {
    if (this.closed && this.fault !== 'leases after close') throw new Error('closed');
    if (this.fault !== 'takes any id') await this.check(tenantId);
    const key = this.fault === 'one database for all' ? 'acme' : IDS.includes(tenantId as 'acme') ? tenantId : 'acme';
    let opening = this.fault === 'no single flight' ? undefined : this.open.get(key);
    if (!opening) this.open.set(key, (opening = this.openDatabase(key)));
    if (this.fault !== 'remembers failures') opening.catch(() => this.open.delete(key));
    return this.leaseOf(tenantId, await opening, () => {
      if (this.fault === 'never closes') return;
      // no reference count: whoever gives a lease back closes the database for all
      setTimeout(() => void this.forget(key), this.idleMs).unref();
    });
  }

  private async forget(key: string) {
    const dataSource = await this.open.get(key)?.catch(() => undefined);
    this.open.delete(key);
    if (dataSource?.isInitialized) await dataSource.destroy();
  }

  private async check(tenantId: string) {
    const probe = databasePerTenant({ tenants: [...IDS], dataSource: () => ({ type: 'none' }) as never });
    await probe.lease(tenantId).catch((error: { code?: string }) => {
      if (error.code !== 'SANDBOX_UNSUPPORTED_DRIVER') throw error;
    });
  }

  private async openDatabase(key: string): Promise<DataSource> {
    const dataSource = new DataSource(optionsOf(key));
    this.all.push(dataSource);
    await dataSource.initialize();
    this.owners.set(dataSource, key);
    const opened = this.listeners.map(async (listener) => listener(this.leaseOf(key, dataSource, () => undefined)));
    if (this.fault === 'does not wait for listeners') return dataSource;
    try {
      await Promise.all(opened);
    } catch (error) {
      await dataSource.destroy();
      throw error;
    }
    return dataSource;
  }

  private leaseOf(tenantId: string, dataSource: DataSource, release: () => void): TenantLease {
    const sql = new PgSqlPool((dataSource.driver as unknown as { master: pg.Pool }).master);
    return { tenantId, dataSource, sql, release, [Symbol.asyncDispose]: async () => release() };
  }

  tenantOf(dataSource: DataSource) {
    return this.owners.get(dataSource) ?? (this.fault === 'claims strangers' ? 'acme' : undefined);
  }

  onOpen(listener: (lease: TenantLease) => Promise<void> | void) {
    this.listeners.push(listener);
  }

  async close() {
    this.closed = true;
    for (const dataSource of this.all) if (dataSource.isInitialized) await dataSource.destroy().catch(() => undefined);
  }
}

describe('tenancyContract catches a tenancy that', () => {
  it.each([
    ['no reference count', 'a database stays open while'],
    ['no single flight', 'concurrent first leases'],
    ['remembers failures', 'a failed opening'],
    ['does not wait for listeners', 'concurrent first leases'],
    ['takes any id', 'an unknown tenant and an invalid id'],
    ['one database for all', 'leases of one tenant share'],
    ['never closes', 'a database is closed when'],
    ['leases after close', 'close waits for leases'],
    ['claims strangers', 'tenantOf knows'],
  ])('%s', async (fault, rule) => {
    const cases = tenancyContract(setup(({ idleMs }) => new NaiveTenancy(fault, idleMs)));
    const broken = cases.find(({ title }) => title.startsWith(rule));
    await expect(broken?.run()).rejects.toThrow();
  });
});
