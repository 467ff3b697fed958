// insert(), update(), delete(), upsert() and the query builders open no transaction and carry no entity. Captured all
// the same: in a transaction, with true images, one change a row.
import { openFixture, type Fixture } from '../support/capture-fixture.js';
import { Item, Note, Part, Stock } from './capture.entities.js';

const ALL = ['item', 'part', 'stock'].flatMap((entity) =>
  ['create', 'update', 'delete'].map((op) => `${entity}:${op}`),
);

describe.each(['as it is', '15.0'])('capture of statements without an entity (PostgreSQL %s)', (version) => {
  let f: Fixture;

  beforeAll(async () => {
    f = await openFixture([Item, Part, Stock, Note], ALL, {
      before: (dataSource) => {
        if (version !== 'as it is') Object.assign(dataSource.driver, { version });
      },
    });
  });
  afterAll(() => f.close());
  beforeEach(async () => {
    await f.reset();
    await f.lease.sql.query({ text: 'truncate part, item, stock, note' });
  });

  const items = () => f.dataSource.getRepository(Item);
  const stocks = () => f.dataSource.getRepository(Stock);
  const seen = async () => (await f.actions()).map((row) => `${row.entity}:${row.operation}:${row.record_id}`);
  const named = async (...names: string[]) => {
    const saved = await items().save(names.map((name) => ({ name })));
    await f.reset();
    return saved.map(({ id }) => id);
  };

  it('insert() fires once a row and returns what it always did', async () => {
    const result = await items().insert([{ name: 'a' }, { name: 'b', qty: () => '3 + 4' }]);
    expect(Object.keys(result.raw[0]).sort()).toEqual(['createdAt', 'deletedAt', 'id', 'qty', 'updatedAt', 'version']);
    const rows = await f.actions();
    expect(rows.map(({ record_id }) => Number(record_id))).toEqual(result.identifiers.map(({ id }) => id));
    expect(rows[1]?.change.record['qty']).toBe(7);
  });

  it('an insert without a matching table row for returning leaves an empty raw result', async () => {
    const result = await items().createQueryBuilder().insert().values({ name: 'a' }).updateEntity(false).execute();
    expect(result.raw).toEqual([]);
    expect(await f.actions()).toHaveLength(1);
  });

  it('update() by criteria fires once a row that it changed, with both images', async () => {
    const [a, b] = await named('x', 'x', 'y');
    const result = await items().update({ name: 'x' }, { slug: 's' });
    expect([result.affected, result.raw]).toEqual([2, []]);
    const rows = await f.actions();
    expect(new Set(rows.map(({ record_id }) => Number(record_id)))).toEqual(new Set([a, b]));
    expect(rows[0]?.change).toMatchObject({
      prevRecord: { slug: null, version: 1 },
      record: { slug: 's', version: 2 },
    });
    expect([...(rows[0]?.change.changed ?? [])].sort()).toEqual(['slug', 'updatedAt', 'version']);
  });

  it('update() that meets no row fires nothing', async () => {
    await items().update({ name: 'nobody' }, { slug: 's' });
    expect(await f.actions()).toEqual([]);
  });

  it('increment() and expressions give the value that the database computed', async () => {
    const [id] = await named('x');
    await items().increment({ id }, 'qty', 5);
    await items().update({ id }, { qty: () => 'qty * 2' });
    expect((await f.actions()).map(({ change }) => [change.prevRecord['qty'], change.record['qty']])).toEqual([
      [7, 12],
      [12, 24],
    ]);
  });

  it('a query builder with a raw condition and parameters is captured', async () => {
    const [, b] = await named('x', 'y');
    await f.dataSource
      .createQueryBuilder()
      .update(Item)
      .set({ slug: 'q' })
      .where('name = :name AND qty IN (:...some)', { name: 'y', some: [6, 7] })
      .execute();
    expect(await seen()).toEqual([`item:update:${b}`]);
  });

  it('a builder that was told to return columns returns those and no others', async () => {
    const [id] = await named('x');
    const result = await items()
      .createQueryBuilder()
      .update()
      .set({ slug: 'q' })
      .where({ id })
      .returning(['id', 'slug'])
      .execute();
    expect(result.raw).toEqual([{ id, slug: 'q' }]);
    const star = await items().createQueryBuilder().delete().where({ id }).returning('*').execute();
    expect(star.raw[0]).toMatchObject({ id, name: 'x' });
    expect(Object.keys(star.raw[0]).some((key) => key.startsWith('sandbox_'))).toBe(false);
    expect(await f.actions()).toHaveLength(2);
  });

  it('delete() by criteria fires once a row, with its last image', async () => {
    await named('x', 'x', 'y');
    expect((await items().delete({ name: 'x' })).affected).toBe(2);
    const rows = await f.actions();
    expect(rows.map(({ operation, change }) => [operation, change.record['name']])).toEqual([
      ['delete', 'x'],
      ['delete', 'x'],
    ]);
  });

  it('softDelete() and restore() by criteria count as delete and create', async () => {
    const [id] = await named('x');
    await items().softDelete({ name: 'x' });
    await items().restore({ name: 'x' });
    expect(await seen()).toEqual([`item:delete:${id}`, `item:create:${id}`]);
  });

  it('upsert() tells creates from updates', async () => {
    await stocks().insert({ shelf: 'A', place: 1, code: 1, count: 1 });
    await f.reset();
    f.scripts.listening.add('stock:update');
    await stocks().upsert(
      [
        { shelf: 'A', place: 1, code: 1, count: 9 },
        { shelf: 'B', place: 1, code: 2 },
      ],
      ['shelf', 'place'],
    );
    expect(await seen()).toEqual(['stock:create:B,1']);
  });

  it('an upsert of an entity watched for updates gives the before image', async () => {
    const parts = f.dataSource.getRepository(Part);
    const { id } = await parts.save({ label: 'x' });
    await f.reset();
    await parts.upsert({ id, label: 'z' }, ['id']);
    const [row] = await f.actions();
    expect([row?.operation, row?.change.record['label']]).toEqual(['update', 'z']);
    expect(row?.change.prevRecord['label']).toBe('x');
    expect(row?.change.changed).toEqual(['label']);
  });

  it('orIgnore() fires nothing for a row that was there', async () => {
    await stocks().insert({ shelf: 'A', place: 1, code: 1 });
    await f.reset();
    await stocks().createQueryBuilder().insert().values({ shelf: 'A', place: 1, code: 1 }).orIgnore().execute();
    expect(await f.actions()).toEqual([]);
  });

  it('INSERT ... SELECT and callListeners(false) are seen, too', async () => {
    await f.dataSource.getRepository(Note).insert([{ text: 'n1' }, { text: 'n2' }]);
    await f.dataSource
      .createQueryBuilder()
      .insert()
      .into(Item, ['name', 'version'])
      .valuesFromSelect((qb) => qb.select('note.text', 'name').addSelect('1', 'version').from(Note, 'note'))
      .callListeners(false)
      .execute();
    expect((await f.actions()).map(({ change }) => change.record['name'])).toEqual(['n1', 'n2']);
  });

  it('relation builders fire for the row that holds the key', async () => {
    const [item] = await named('x');
    const part = await f.dataSource.getRepository(Part).save({ label: 'p' });
    await f.reset();
    await f.dataSource.createQueryBuilder().relation(Part, 'item').of(part.id).set(item);
    expect((await f.actions()).map(({ entity, change }) => [entity, change.changed])).toEqual([['part', ['itemId']]]);
  });

  it('is atomic: without its action row the statement is undone', async () => {
    await f.lease.sql.query({ text: 'alter table sandbox_action rename to hidden' });
    const refused = { code: 'SANDBOX_OUTBOX_TABLE_MISSING' };
    await expect(items().insert({ name: 'unlucky' })).rejects.toMatchObject(refused);
    await f.lease.sql.query({ text: 'alter table hidden rename to sandbox_action' });
    expect(await items().countBy({ name: 'unlucky' })).toBe(0);
    expect(await items().countBy({ name: 'x' })).toBe(0);
  });

  it('joins the transaction that the caller opened', async () => {
    await f.dataSource
      .transaction(async (manager) => {
        await manager.insert(Item, { name: 'a' });
        throw new Error('no');
      })
      .catch(() => undefined);
    expect([await f.actions(), await items().count()]).toEqual([[], 0]);
  });

  it('holds the row from its before image to its commit', async () => {
    const [id] = await named('x');
    await Promise.all(Array.from({ length: 10 }, () => items().increment({ id }, 'qty', 1)));
    const images = (await f.actions()).map(({ change }) => [change.prevRecord['qty'], change.record['qty']]);
    expect(images).toEqual(Array.from({ length: 10 }, (_, n) => [7 + n, 8 + n]));
  });
});
