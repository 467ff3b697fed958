import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContractCase } from './contract.js';
import type { SqlPool, Tenancy, TenantLease } from '../tenancy/tenancy.js';

/** What `tenancyContract` needs of the implementation under test. */
export interface TenancyContractSetup {
  /** Makes a tenancy with nothing open that closes databases after `idleMs` without a lease. */
  readonly create: (options: { idleMs: number }) => Tenancy | Promise<Tenancy>;
  /** Two tenants whose databases exist. */
  readonly tenants: readonly [string, string];
  /** A well-formed id that no tenant has. */
  readonly unknownTenant: string;
}

const SOON_MS = 40;
const LATE_MS = 60_000;

/** The rules of `Tenancy` and of its `SqlPool`, on PostgreSQL. */
export function tenancyContract(setup: TenancyContractSetup): readonly ContractCase[] {
  const rule = (title: string, idleMs: number, check: (tenancy: Tenancy) => Promise<void>): ContractCase => ({
    title,
    async run() {
      const tenancy = await setup.create({ idleMs });
      try {
        await check(tenancy);
      } finally {
        await tenancy.close(0);
      }
    },
  });
  return [...leaseRules(setup, rule), ...closeRules(setup, rule), ...sqlRules(setup, rule)];
}

type Rule = (title: string, idleMs: number, check: (tenancy: Tenancy) => Promise<void>) => ContractCase;

function leaseRules(
  { tenants: [one, other], unknownTenant, create }: TenancyContractSetup,
  rule: Rule,
): ContractCase[] {
  return [
    rule('leases of one tenant share a DataSource, those of two tenants do not', LATE_MS, async (tenancy) => {
      const [first, second, third] = await Promise.all([tenancy.lease(one), tenancy.lease(one), tenancy.lease(other)]);
      assert.equal(first.dataSource, second.dataSource);
      if (tenancy.kind === 'database') assert.notEqual(first.dataSource, third.dataSource);
      assert.deepEqual([first.tenantId, third.tenantId], [one, other]);
    }),
    rule(
      'concurrent first leases open a tenant once, and its listeners have run before any resolves',
      LATE_MS,
      async (tenancy) => {
        let begun = 0;
        let ended = 0;
        tenancy.onOpen(async () => {
          begun += 1;
          await sleep(20);
          ended += 1;
        });
        await Promise.all(
          Array.from({ length: 10 }, async () => {
            await tenancy.lease(one);
            assert.equal(ended, 1);
          }),
        );
        assert.equal(begun, 1);
      },
    ),
    rule('a failed opening rejects its leases and is not remembered', LATE_MS, async (tenancy) => {
      let fail = true;
      const seen: TenantLease[] = [];
      tenancy.onOpen((lease) => {
        seen.push(lease);
        if (fail) throw new RangeError('listener');
      });
      const [first, second] = await Promise.allSettled([tenancy.lease(one), tenancy.lease(one)]);
      assert.deepEqual([first?.status, second?.status], ['rejected', 'rejected']);
      assert.equal(seen[0]?.dataSource.isInitialized, false, 'what was opened is closed again');
      fail = false;
      await assertUsable(await tenancy.lease(one));
    }),
    rule('an unknown tenant and an invalid id are refused, and open nothing', LATE_MS, async (tenancy) => {
      let opened = 0;
      tenancy.onOpen(() => void (opened += 1));
      await assert.rejects(tenancy.lease(unknownTenant), { code: 'SANDBOX_UNKNOWN_TENANT' });
      for (const id of ['', 'a:b', '../a', 'a'.repeat(64), 7 as unknown as string]) {
        await assert.rejects(async () => tenancy.lease(id), { code: 'SANDBOX_INVALID_TENANT_ID' });
      }
      assert.equal(opened, 0);
    }),
    rule('tenantOf knows the DataSources of this tenancy, and no others', LATE_MS, async (tenancy) => {
      const stranger = await create({ idleMs: LATE_MS });
      try {
        const [mine, foreign] = await Promise.all([tenancy.lease(one), stranger.lease(one)]);
        assert.equal(tenancy.tenantOf(mine.dataSource), tenancy.kind === 'column' ? undefined : one);
        assert.equal(tenancy.tenantOf(foreign.dataSource), undefined);
      } finally {
        await stranger.close(0);
      }
    }),
    rule('tenants lists every tenant', LATE_MS, async (tenancy) => {
      const listed = await tenancy.tenants();
      assert.ok(listed.includes(one) && listed.includes(other) && !listed.includes(unknownTenant));
    }),
  ];
}

function closeRules({ tenants: [one, other] }: TenancyContractSetup, rule: Rule): ContractCase[] {
  return [
    rule(
      'a database stays open while one of its leases is held, whatever becomes of the others',
      SOON_MS,
      async (tenancy) => {
        const [held, ...others] = await Promise.all([tenancy.lease(one), tenancy.lease(one), tenancy.lease(one)]);
        for (const lease of others) {
          lease.release();
          lease.release();
        }
        await sleep(SOON_MS * 4);
        await assertUsable(held);
        assert.equal((await tenancy.lease(one)).dataSource, held.dataSource);
      },
    ),
    rule('a database is closed when it was idle for idleMs, and opened again when needed', SOON_MS, async (tenancy) => {
      const lease = await tenancy.lease(one);
      lease.release();
      assert.equal(lease.dataSource.isInitialized, true, 'not at once');
      await eventually(() => !lease.dataSource.isInitialized, 'the idle database to be closed');
      await assertUsable(await tenancy.lease(one));
    }),
    rule('a lease that comes while databases are being closed is always usable', 1, async (tenancy) => {
      const user = async (seed: number) => {
        for (let n = 0; n < 12; n++) {
          const lease = await tenancy.lease(seed % 2 ? one : other);
          try {
            await assertUsable(lease);
          } finally {
            lease.release();
          }
          await sleep((seed * 7 + n * 3) % 11);
        }
      };
      await Promise.all(Array.from({ length: 6 }, (_, seed) => user(seed)));
    }),
    rule('an async disposal gives a lease back', SOON_MS, async (tenancy) => {
      const lease = await tenancy.lease(one);
      await lease[Symbol.asyncDispose]();
      await eventually(() => !lease.dataSource.isInitialized, 'the idle database to be closed');
    }),
    rule('close waits for leases, closes everything, and every later lease is refused', LATE_MS, async (tenancy) => {
      const held = await tenancy.lease(one);
      const idle = await tenancy.lease(other);
      idle.release();
      let closed = false;
      const closing = tenancy.close(5_000).then(() => (closed = true));
      await sleep(30);
      assert.equal(closed, false);
      await assertUsable(held);
      await assert.rejects(tenancy.lease(one));
      held.release();
      await closing;
      assert.deepEqual([held.dataSource.isInitialized, idle.dataSource.isInitialized], [false, false]);
    }),
    rule('close goes on without a lease that does not come back in time', LATE_MS, async (tenancy) => {
      const { dataSource } = await tenancy.lease(one);
      await tenancy.close(20);
      assert.equal(dataSource.isInitialized, false);
    }),
    rule('a peek does not keep a database open, nor open one', SOON_MS, async (tenancy) => {
      if (!tenancy.peek) return;
      let opened = 0;
      tenancy.onOpen(() => void (opened += 1));
      const { rows } = await tenancy.peek(one, (sql) => sql.query<{ n: number }>({ text: 'select 1 as n' }));
      assert.deepEqual([rows, opened], [[{ n: 1 }], 0]);
      const lease = await tenancy.lease(one);
      lease.release();
      const end = Date.now() + 5_000;
      while (lease.dataSource.isInitialized && Date.now() < end) {
        await tenancy.peek(one, (sql) => sql.query({ text: 'select 1' })).catch(() => undefined);
        await sleep(2);
      }
      assert.equal(lease.dataSource.isInitialized, false);
    }),
  ];
}

function sqlRules({ tenants: [one] }: TenancyContractSetup, rule: Rule): ContractCase[] {
  const count = async (sql: SqlPool) => {
    const { rows } = await sql.query<{ n: number }>({ text: 'select count(*)::int as n from tenancy_contract' });
    return rows[0]?.n;
  };
  const insert = (n: unknown) => ({
    name: 'tenancy_contract_insert',
    text: 'insert into tenancy_contract values ($1)',
    values: [n],
  });
  const withTable = async (tenancy: Tenancy, check: (sql: SqlPool) => Promise<void>) => {
    const { sql } = await tenancy.lease(one);
    await sql.query({ text: 'drop table if exists tenancy_contract' });
    await sql.query({ text: 'create table tenancy_contract (n int primary key)' });
    try {
      await check(sql);
    } finally {
      await sql.query({ text: 'drop table tenancy_contract' });
    }
  };
  return [
    rule('a transaction commits all its statements, in order, and returns their results', LATE_MS, (tenancy) =>
      withTable(tenancy, async (sql) => {
        const results = await sql.transaction([
          insert(1),
          insert(2),
          { text: 'select sum(n)::int as s from tenancy_contract' },
        ]);
        assert.deepEqual(
          results.map(({ rowCount }) => rowCount),
          [1, 1, 1],
        );
        assert.deepEqual(results[2]?.rows, [{ s: 3 }]);
        assert.equal(await count(sql), 2);
      }),
    ),
    rule('statements that are sent together fail alone', LATE_MS, (tenancy) =>
      withTable(tenancy, async (sql) => {
        const sent = [insert(1), insert(1), insert(2), { text: 'select no_such_function()' }, insert(3)];
        const answers = await Promise.allSettled(sent.map((statement) => sql.query(statement)));
        assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 3);
        assert.equal(await count(sql), 3);
      }),
    ),
    rule('a slow statement does not hold up those that come later', LATE_MS, (tenancy) =>
      withTable(tenancy, async (sql) => {
        let slow = true;
        const sleeping = sql.query({ text: 'select pg_sleep(1)' }).finally(() => (slow = false));
        await sleep(50);
        for (let n = 0; n < 5; n++) await sql.query({ text: 'select 1' });
        assert.ok(slow);
        await sleeping;
      }),
    ),
    rule('a failing statement rolls everything back, and the connection stays good', LATE_MS, (tenancy) =>
      withTable(tenancy, async (sql) => {
        for (let n = 0; n < 12; n++) {
          const doomed = sql.transaction([
            insert(1),
            insert(1),
            insert(2),
            { name: `tenancy_contract_${n}`, text: 'select 1' },
          ]);
          await assert.rejects(doomed, { code: '23505' });
          await sql.query({ name: `tenancy_contract_${n}`, text: 'select 1' });
        }
        assert.equal(await count(sql), 0);
      }),
    ),
    rule('a connection keeps its statements together until it is released', LATE_MS, (tenancy) =>
      withTable(tenancy, async (sql) => {
        const connection = await sql.connect();
        await connection.query({ text: 'begin' });
        await connection.query(insert(1));
        assert.equal(await count(sql), 0);
        await connection.query({ text: 'rollback' });
        connection.release();
        connection.release(true);
        assert.equal(await count(sql), 0);
      }),
    ),
    rule('a connection that the server ends does not end the process', LATE_MS, async (tenancy) => {
      const { sql } = await tenancy.lease(one);
      const connection = await sql.connect();
      const { rows } = await connection.query<{ pid: number }>({ text: 'select pg_backend_pid() as pid' });
      await sql.query({ text: 'select pg_terminate_backend($1)', values: [rows[0]?.pid] });
      await assert.rejects(connection.query({ text: 'select 1' }));
      connection.release();
      for (let n = 0; n < 5; n++) await sql.query({ text: 'select 1' });
    }),
  ];
}

async function assertUsable(lease: TenantLease): Promise<void> {
  assert.equal(lease.dataSource.isInitialized, true);
  const [row] = (await lease.dataSource.query('select 1 as one')) as { one: number }[];
  assert.equal(row?.one, 1);
  assert.deepEqual((await lease.sql.query({ text: 'select 2 as two' })).rows, [{ two: 2 }]);
}

async function eventually(condition: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 5_000;
  while (!condition()) {
    assert.ok(Date.now() < end, `waited in vain for ${what}`);
    await sleep(5);
  }
}
