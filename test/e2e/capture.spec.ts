// What save, remove, softRemove and recover leave in the outbox: true images, once, with the transaction or not at all.
import type { QueryRunner } from 'typeorm';
import { SandboxContext } from '../../libs/sandbox/src/tenancy/sandbox-context.js';
import { markTransaction } from '../../libs/sandbox/src/tenancy/transaction-marks.js';
import { openFixture, type Fixture } from '../support/capture-fixture.js';
import { until } from '../support/processes.mjs';
import { Item, Note, Part, Stock } from './capture.entities.js';

const ALL = ['item', 'part', 'stock'].flatMap((entity) =>
  ['create', 'update', 'delete'].map((op) => `${entity}:${op}`),
);

// Before PostgreSQL 18, a locking SELECT stands in for RETURNING's old rows: both ways are run on the server there is.
describe.each(['as it is', '15.0'])('capture of what TypeORM persists (PostgreSQL %s)', (version) => {
  let f: Fixture;
  const statements: string[] = [];

  beforeAll(async () => {
    f = await openFixture([Item, Part, Stock, Note], ALL, {
      before: (dataSource) => {
        dataSource.subscribers.push({ beforeQuery: ({ query }: { query: string }) => void statements.push(query) });
        if (version !== 'as it is') Object.assign(dataSource.driver, { version });
      },
    });
  });
  afterAll(() => f.close());
  beforeEach(async () => {
    await f.reset();
    f.scripts.listening.clear();
    for (const pair of ALL) f.scripts.listening.add(pair);
    f.scripts.trusted = true;
  });

  const items = () => f.dataSource.getRepository(Item);
  const seen = async () => (await f.actions()).map((row) => `${row.entity}:${row.operation}:${row.record_id}`);

  it('records a create with every column as the database holds it', async () => {
    const saved = await items().save({
      name: 'lamp',
      price: 12.5,
      big: '9007199254740993',
      day: '2026-03-01',
      meta: { a: [1] },
      loose: { b: 2 },
      shout: 'hey',
      secret: 'hush',
      address: { city: 'Bern' },
    });
    const [row] = await f.actions();
    expect(row).toMatchObject({
      entity: 'item',
      operation: 'create',
      record_id: String(saved.id),
      origin: 'app',
      depth: 0,
      status: 'pending',
    });
    expect(row?.change.record).toEqual({
      id: saved.id,
      name: 'lamp',
      slug: null,
      price: '12.50',
      big: '9007199254740993',
      day: '2026-03-01',
      meta: { a: [1] },
      qty: 7,
      loose: { b: 2 },
      shout: 'hey',
      address: { city: 'Bern' },
      createdAt: saved.createdAt.toISOString(),
      updatedAt: saved.updatedAt.toISOString(),
      deletedAt: null,
      version: 1,
    });
    expect(row?.change.prevRecord).toEqual({});
    expect(row?.change.changed).toEqual(expect.arrayContaining(['id', 'name', 'price', 'qty', 'version']));
    expect(row?.change.changed).not.toContain('slug');
    expect(saved.price).toBe(12.5);
  });

  it('gives a partial save both full images and the names of what changed', async () => {
    const saved = await items().save({ name: 'lamp', slug: 'S', price: '9.50', meta: { a: 1 } });
    await f.reset();
    await items().save({ id: saved.id, name: 'lantern' });
    const [row] = await f.actions();
    expect(row?.change.record).toMatchObject({ name: 'lantern', slug: 'S', price: '9.50', meta: { a: 1 }, version: 2 });
    expect(row?.change.prevRecord).toMatchObject({ name: 'lamp', slug: 'S', price: '9.50', version: 1 });
    expect([...(row?.change.changed ?? [])].sort()).toEqual(['name', 'updatedAt', 'version']);
  });

  it('gives the before image of the row that was overwritten, not of the one that was read', async () => {
    const saved = await items().save({ name: 'lamp', qty: 1 });
    const stale = await items().findOneByOrFail({ id: saved.id });
    await f.lease.sql.query({ text: 'update item set qty = 500 where id = $1', values: [saved.id] });
    await f.reset();
    stale.qty = 2;
    await items().save(stale);
    const [row] = await f.actions();
    expect([row?.change.prevRecord['qty'], row?.change.record['qty']]).toEqual([500, 2]);
  });

  it('records a removal with the last image, also of an entity given by its id only', async () => {
    const [first, second] = await items().save([{ name: 'a' }, { name: 'b' }]);
    await f.reset();
    const ids = [first?.id, second?.id];
    await items().remove(first as Item);
    await items().remove({ id: second?.id } as Item);
    const rows = await f.actions();
    expect(rows.map(({ operation, record_id }) => [operation, record_id])).toEqual(
      ids.map((id) => ['delete', String(id)]),
    );
    expect(rows.map(({ change }) => [change.record['name'], change.prevRecord['name']])).toEqual([
      ['a', 'a'],
      ['b', 'b'],
    ]);
  });

  it('counts soft removal as delete and recovery as create, once each', async () => {
    const saved = await items().save({ name: 'a' });
    await f.reset();
    await items().softRemove(saved);
    await items().softDelete(saved.id);
    await items().recover(saved);
    await items().restore(saved.id);
    expect(await seen()).toEqual([`item:delete:${saved.id}`, `item:create:${saved.id}`]);
    const [removed, recovered] = await f.actions();
    expect(removed?.change.prevRecord['deletedAt']).toBeNull();
    expect(recovered?.change.record['deletedAt']).toBeNull();
  });

  it('writes one action a row for a bulk save, in the order of the rows, with one statement', async () => {
    const saved = await items().save(
      Array.from({ length: 1_000 }, (_, n) => ({ name: `n${n}` })),
      { chunk: 300 },
    );
    expect((await f.actions()).map(({ record_id }) => record_id)).toEqual(saved.map(({ id }) => String(id)));
    await f.dispatcher.idle();
    expect(f.queue.ids()).toEqual((await f.actions()).map(({ id }) => id));
  });

  it('keeps texts of a bulk write as they are, whatever separates its rows on their way', async () => {
    const shelves = [
      'a,b',
      'a"b',
      String.raw`a\b`,
      String.raw`a\nb`,
      'a\nb',
      'a\r\nb',
      '{}',
      '',
      ' ',
      'NULL',
      '\u2028',
    ];
    await f.dataSource.getRepository(Stock).insert(shelves.map((shelf) => ({ shelf, place: 1 })));
    const actions = await f.actions();
    expect(actions.map(({ record_id }) => record_id)).toEqual(shelves.map((shelf) => `${shelf},1`));
    expect(actions.map(({ change }) => change.record['shelf'])).toEqual(shelves);
  });

  it('writes actions of several scripts, users and depths in one transaction, each with its own', async () => {
    const actionId = '01900000-0000-7000-8000-0000000000aa';
    await f.dataSource.transaction(async (manager) => {
      await SandboxContext.run({ userId: 'u1' }, () => manager.save(Item, { name: 'a' }));
      await SandboxContext.run({ userId: 'u2' }, () => manager.save(Item, { name: 'b' }));
      await SandboxContext.run({ chain: { depth: 7, actionId } }, () => manager.save(Part, { label: 'c' }));
    });
    expect((await f.actions()).map((row) => [row.entity, row.user_id, row.depth, row.status])).toEqual([
      ['item', 'u1', 0, 'pending'],
      ['item', 'u2', 0, 'pending'],
      ['part', null, 8, 'skipped'],
    ]);
  });

  it('records the children that a save cascades to, with the key of their parent', async () => {
    const saved = await items().save({ name: 'kit', parts: [{ label: 'x' }, { label: 'y' }] as Part[] });
    const rows = await f.actions();
    expect(rows.map(({ entity, operation }) => `${entity}:${operation}`)).toEqual([
      'item:create',
      'part:create',
      'part:create',
    ]);
    expect(rows[1]?.change.record).toMatchObject({ label: 'x', itemId: saved.id });
    await f.reset();
    await items().save({ id: saved.id, parts: [saved.parts[0]] as Part[] });
    const [orphan] = await f.actions();
    expect(orphan).toMatchObject({ entity: 'part', operation: 'update', record_id: saved.parts[1]?.id });
    expect(orphan?.change).toMatchObject({
      prevRecord: { itemId: saved.id },
      record: { itemId: null },
      changed: ['itemId'],
    });
  });

  it('joins the values of a composite key, and gives the record an id', async () => {
    await f.dataSource.getRepository(Stock).save({ shelf: 'A', place: 3 });
    const [row] = await f.actions();
    expect([row?.record_id, row?.change.record['id']]).toEqual(['A,3', 'A,3']);
  });

  it('fires only for operations that @ScriptTrigger names', async () => {
    const stock = await f.dataSource.getRepository(Stock).save({ shelf: 'B', place: 1 });
    await f.reset();
    await f.dataSource.getRepository(Stock).save({ shelf: stock.shelf, place: stock.place, count: 5 });
    expect(await seen()).toEqual([]);
  });

  it('writes nothing for a save that changes nothing', async () => {
    const saved = await items().save({ name: 'a' });
    await f.reset();
    await items().save(await items().findOneByOrFail({ id: saved.id }));
    expect(await f.actions()).toEqual([]);
  });

  it('captures with listeners switched off, and with transaction: false', async () => {
    await items().save({ name: 'a' }, { listeners: false });
    await items().save({ name: 'b' }, { transaction: false });
    await items().save({ name: 'c' }, { data: { anything: 1 } });
    await items().save({ name: 'd' }, { reload: false });
    expect((await f.actions()).map(({ change }) => change.record['name'])).toEqual(['a', 'b', 'c', 'd']);
  });

  it('costs no statement when no script listens', async () => {
    f.scripts.listening.clear();
    statements.length = 0;
    await items().save({ name: 'a' });
    expect(statements.map((sql) => sql.split(' ')[0])).toEqual(['START', 'INSERT', 'COMMIT']);
    expect(statements[1]).not.toContain('sandbox_');
    expect(await f.actions()).toEqual([]);
  });

  it('loads the scripts where none are trusted, also with every connection taken by writers', async () => {
    f.scripts.trusted = false;
    const writers = Array.from({ length: 8 }, (_, n) =>
      f.dataSource.transaction((manager) => manager.save(Item, { name: `w${n}` })),
    );
    await Promise.all(writers);
    expect(await f.actions()).toHaveLength(8);
  });

  it('takes tenant from the tenancy and user from the context', async () => {
    await SandboxContext.run({ userId: 'u1' }, () => items().save({ name: 'a' }));
    const [row] = await f.actions();
    expect(row?.user_id).toBe('u1');
    await f.dispatcher.idle();
    expect(f.queue.jobs[0]).toMatchObject({
      tenantId: 'acme',
      job: { job: { actionId: row?.id, userId: 'u1', depth: 0 } },
    });
  });

  it('goes on counting the chain of scripts, and stops it at the limit', async () => {
    const actionId = '01900000-0000-7000-8000-0000000000aa';
    await SandboxContext.run({ chain: { depth: 2, actionId } }, () => items().save({ name: 'a' }));
    await SandboxContext.run({ chain: { depth: 7, actionId } }, () => items().save({ name: 'b' }));
    const [a, b] = await f.actions();
    expect(a).toMatchObject({ origin: 'script', depth: 3, parent_id: actionId, status: 'pending' });
    expect(b).toMatchObject({ depth: 8, status: 'skipped', outcome: 'chainTooDeep' });
    await f.dispatcher.idle();
    expect(f.queue.ids()).toEqual([a?.id]);
  });

  it('keeps a character that jsonb refuses out of the way of the write', async () => {
    const meta = { text: String.raw`a\u0000` };
    await items().save({ name: 'a', loose: { zero: 'a\u0000b' }, meta });
    const [row] = await f.actions();
    expect(row?.change.record['loose']).toEqual({ zero: 'a\ufffdb' });
    expect(row?.change.record['meta']).toEqual(meta);
  });

  describe('and transactions', () => {
    it('drops what an inner transaction rolled back and keeps the rest', async () => {
      await f.dataSource.transaction(async (manager) => {
        await manager.save(Item, { name: 'outer 1' });
        await manager
          .transaction(async (inner) => {
            await inner.save(Item, { name: 'inner' });
            await inner.transaction((deeper) => deeper.save(Item, { name: 'deeper' }));
            throw new Error('no');
          })
          .catch(() => undefined);
        await manager.transaction((inner) => inner.save(Item, { name: 'kept' }));
        await manager.save(Item, { name: 'outer 2' });
      });
      expect((await f.actions()).map(({ change }) => change.record['name'])).toEqual(['outer 1', 'kept', 'outer 2']);
    });

    it('drops a first write that happened inside a savepoint', async () => {
      await f.dataSource.transaction(async (manager) => {
        await manager
          .transaction(async (inner) => {
            await inner.save(Item, { name: 'inner' });
            throw new Error('no');
          })
          .catch(() => undefined);
        await manager.save(Item, { name: 'outer' });
      });
      expect((await f.actions()).map(({ change }) => change.record['name'])).toEqual(['outer']);
    });

    it('forgets what a savepoint undid that was set with raw SQL and marked', async () => {
      await f.dataSource.transaction(async (manager) => {
        const runner = manager.queryRunner as QueryRunner;
        await manager.save(Item, { name: 'before' });
        const back = markTransaction(runner);
        await manager.query('savepoint mine');
        await manager.save(Item, { name: 'inside' });
        await manager.query('rollback to savepoint mine');
        back();
        await manager.save(Item, { name: 'after' });
      });
      expect((await f.actions()).map(({ change }) => change.record['name'])).toEqual(['before', 'after']);
    });

    it('leaves nothing of a transaction that is rolled back', async () => {
      const doomed = f.dataSource.transaction(async (manager) => {
        await manager.save(Item, { name: 'a' });
        throw new Error('no');
      });
      await expect(doomed).rejects.toThrow('no');
      await f.dispatcher.idle();
      expect([await f.actions(), f.queue.jobs]).toEqual([[], []]);
    });

    it('enqueues only after the commit, also with a QueryRunner of the host', async () => {
      const runner: QueryRunner = f.dataSource.createQueryRunner();
      await runner.startTransaction();
      await runner.manager.save(Item, { name: 'a' });
      await new Promise(setImmediate);
      await f.dispatcher.idle();
      expect(f.queue.jobs).toEqual([]);
      await runner.commitTransaction();
      await runner.startTransaction();
      await runner.manager.save(Item, { name: 'b' });
      await runner.rollbackTransaction();
      await runner.release();
      await f.dispatcher.idle();
      expect(f.queue.jobs.map(({ job }) => job.job.change?.record['name'])).toEqual(['a']);
    });

    it('leaves nothing when the COMMIT itself is refused', async () => {
      await f.lease.sql.query({
        text: 'create table if not exists strict (note int references note (id) deferrable initially deferred)',
      });
      const doomed = f.dataSource.transaction(async (manager) => {
        await manager.save(Item, { name: 'a' });
        await manager.query('insert into strict values (-1)');
      });
      await expect(doomed).rejects.toMatchObject({ code: '23503' });
      await f.dispatcher.idle();
      expect([await f.actions(), f.queue.jobs]).toEqual([[], []]);
    });

    it('fails the write when the action row cannot be written', async () => {
      await f.lease.sql.query({ text: 'alter table sandbox_action rename to hidden' });
      await expect(items().save({ name: 'unlucky' })).rejects.toMatchObject({ code: 'SANDBOX_OUTBOX_TABLE_MISSING' });
      await f.lease.sql.query({ text: 'alter table hidden rename to sandbox_action' });
      expect(await items().countBy({ name: 'unlucky' })).toBe(0);
    });

    it('leaves a QueryRunner of the host as after any other COMMIT that failed', async () => {
      await f.lease.sql.query({ text: 'alter table sandbox_action rename to hidden' });
      const runner = f.dataSource.createQueryRunner();
      await runner.startTransaction();
      await runner.manager.save(Item, { name: 'unlucky' });
      await expect(runner.commitTransaction()).rejects.toMatchObject({ code: 'SANDBOX_OUTBOX_TABLE_MISSING' });
      await expect(runner.rollbackTransaction()).resolves.toBeUndefined();
      await f.lease.sql.query({ text: 'alter table hidden rename to sandbox_action' });
      expect(await runner.manager.countBy(Item, { name: 'unlucky' })).toBe(0);
      await runner.startTransaction();
      await runner.manager.save(Item, { name: 'lucky' });
      await runner.commitTransaction();
      await runner.release();
      expect((await f.actions()).map(({ change }) => change.record['name'])).toEqual(['lucky']);
    });

    it('lets the host stream over a connection that a captured write has used', async () => {
      await items().save({ name: 'a' });
      const pool = (
        f.dataSource.driver as unknown as { master: { connect(): Promise<{ pipeline?: boolean; release(): void }> } }
      ).master;
      const clients = await Promise.all(Array.from({ length: 4 }, () => pool.connect()));
      expect(clients.map(({ pipeline }) => pipeline)).toEqual([false, false, false, false]);
      for (const client of clients) client.release();
    });

    it.each([0, 1, 5])('leaves no action when a subscriber of the host fails after %i ms', async (ms) => {
      for (const hook of ['afterInsert', 'beforeTransactionCommit'] as const) {
        const saboteur = {
          async [hook]() {
            if (ms) await new Promise((resolve) => setTimeout(resolve, ms));
            throw new Error('sabotage');
          },
        };
        f.dataSource.subscribers.unshift(saboteur);
        await expect(items().save({ name: 'sabotaged' })).rejects.toThrow('sabotage');
        f.dataSource.subscribers.splice(f.dataSource.subscribers.indexOf(saboteur), 1);
      }
      await f.dispatcher.idle();
      expect([await items().countBy({ name: 'sabotaged' }), await f.actions(), f.queue.jobs]).toEqual([0, [], []]);
    });

    it('never rejects a writer for a queue that is down', async () => {
      f.queue.down = true;
      const failures: unknown[] = [];
      const stop = f.events.on('dispatch.failed', (event) => failures.push(event));
      await expect(items().save({ name: 'a' })).resolves.toBeDefined();
      await until(() => failures.length > 0);
      stop();
      f.queue.down = false;
      expect(await f.actions()).toHaveLength(1);
    });

    it('keeps twenty concurrent writers apart', async () => {
      const writers = Array.from({ length: 20 }, (_, n) =>
        f.dataSource.transaction(async (manager) => {
          await manager.save(Item, { name: `w${n}` });
          if (n % 3 === 0) throw new Error('no');
          await manager.save(Part, { label: `w${n}` });
        }),
      );
      await Promise.allSettled(writers);
      const rows = await f.actions();
      expect(rows).toHaveLength(26);
      await f.dispatcher.idle();
      expect(new Set(f.queue.ids())).toEqual(new Set(rows.map(({ id }) => id)));
    });
  });
});
