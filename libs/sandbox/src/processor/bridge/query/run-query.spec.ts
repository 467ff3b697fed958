// What a query means, on a real database; and that hostile ones get an answer that says what is wrong, and nothing else.
import {
  Customer,
  type EffectsFixture,
  Ledger,
  openEffectsFixture,
  Order,
  Product,
} from '../../../../../../test/e2e/effects.fixture.js';
import { ScriptFacingError } from '../../../errors/bridge.errors.js';
import { EntityCatalog } from '../../../scripts/entity-catalog.js';
import { runQuery } from './run-query.js';

describe('queries', () => {
  let fixture: EffectsFixture;
  let ann: Customer;
  let bob: Customer;
  const statements: string[] = [];

  beforeAll(async () => {
    fixture = await openEffectsFixture();
    const { manager } = fixture.lease.dataSource;
    ann = await manager.save(Customer, {
      name: 'Ann',
      email: 'ann@x.org',
      country: 'CH',
      credit: '9007199254740993',
      orderTotal: '10.50',
      tags: ['a', 'b'],
      meta: { size: [1, 2] },
      secret: 'hush',
      address: { city: 'Bern', street: null },
    });
    bob = await manager.save(Customer, { name: 'Bob 100%', vip: true, address: { city: 'Ljubljana', street: 's' } });
    const gone = await manager.save(Customer, { name: 'Gone', address: {} });
    await manager.softDelete(Customer, gone.id);
    const [lamp, desk] = await manager.save(Product, [
      { sku: 'lamp', price: '5', cost: '1' },
      { sku: 'desk', price: '99.90' },
    ]);
    await manager.save(Order, [
      { amount: '10.00', quantity: 1, customer: ann, placedOn: '2026-03-01', sentAt: new Date('2026-03-01T10:00:00Z') },
      { amount: '20.50', quantity: 2, customer: ann, status: 'paid', products: [lamp, desk] as Product[] },
      { amount: '5.25', quantity: 3, customer: bob, photo: Buffer.from('hi'), products: [lamp] as Product[] },
      { amount: '1.00', quantity: 4, customer: null },
    ]);
    await manager.save(Order, { amount: '0', quantity: 9, customer: gone });
    await manager.save(Ledger, { text: 'SECRET', customer: ann });
  });
  afterAll(() => fixture.close());

  let mostRows = 1_000;
  let rowsRead = 0;
  beforeEach(() => {
    mostRows = 1_000;
    rowsRead = 0;
    statements.length = 0;
  });

  const run = (query: unknown) =>
    runQuery(
      {
        catalog: EntityCatalog.of(fixture.lease.dataSource),
        read: async (statement) => {
          statements.push(statement.text);
          return (await fixture.lease.sql.query(statement)).rows;
        },
        mostRows,
        countRows: (rows) => void (rowsRead += rows),
      },
      query,
    );
  const ids = async (where: unknown) => (await run({ entity: 'order', where })).map((row) => row['id']);
  const names = async (where: unknown) =>
    (await run({ entity: 'customer', where, orderBy: 'name' })).map((row) => row['name']);

  it('gives every readable field in its wire form, and none that is not readable', async () => {
    const [row] = await run({ entity: 'customer', where: { name: 'Ann' } });
    expect(row).toEqual({
      id: ann.id,
      name: 'Ann',
      email: 'ann@x.org',
      country: 'CH',
      vip: false,
      orderTotal: '10.50',
      credit: '9007199254740993',
      tags: ['a', 'b'],
      meta: { size: [1, 2] },
      address: { city: 'Bern', street: null },
      version: 1,
      createdAt: ann.createdAt.toISOString(),
      updatedAt: ann.updatedAt.toISOString(),
      deletedAt: null,
    });
    const [order] = await run({ entity: 'order', where: { id: 1 } });
    expect(order).toMatchObject({ placedOn: '2026-03-01', sentAt: '2026-03-01T10:00:00.000Z', customerId: ann.id });
    const [third] = await run({ entity: 'order', select: ['photo'], where: { quantity: 3 } });
    expect(third).toEqual({ photo: Buffer.from('hi').toString('base64') });
  });

  it.each([
    [{ amount: '10.00' }, [1]],
    [{ amount: 10 }, [1]],
    [{ amount: { gte: '10' } }, [1, 2]],
    [{ amount: { gt: 1, lt: 20.5 } }, [1, 3]],
    [{ quantity: { in: [1, 4, 77] } }, [1, 4]],
    [{ quantity: { in: [] } }, []],
    [{ quantity: { notIn: [1, 2] } }, [3, 4, 5]],
    [{ quantity: { between: [2, 3] } }, [2, 3]],
    [{ status: { ne: 'open' } }, [2]],
    [{ placedOn: '2026-03-01' }, [1]],
    [{ placedOn: { ne: '2026-03-01' } }, [2, 3, 4, 5]],
    [{ sentAt: { lt: '2026-03-01T11:00:00+01:00' } }, []],
    [{ sentAt: { gte: '2026-03-01T11:00:00+01:00' } }, [1]],
    [{ customerId: null }, [4]],
    [{ customerId: { isNull: false }, quantity: { lt: 3 } }, [1, 2]],
    [{ or: [{ quantity: 1 }, { status: 'paid' }] }, [1, 2]],
    [{ or: [] }, []],
    [{ and: [{ quantity: { gt: 1 } }, { quantity: { lt: 4 } }] }, [2, 3]],
    [{ not: { customer: { country: 'CH' } } }, [3, 4, 5]],
    [{ customer: { country: 'CH' } }, [1, 2]],
    [{ customer: { country: { in: ['CH', 'SI'] }, address: { city: 'Bern' } } }, [1, 2]],
    [{ 'customer.country': 'CH' }, [1, 2]],
    [{ customer: {} }, [1, 2, 3]],
    [{ products: { sku: 'lamp' } }, [2, 3]],
    [{ customer: { orders: { status: 'paid' } } }, [1, 2]],
  ])('orders where %j are %j', async (where, expected) => {
    expect(((await ids(where)) as number[]).sort((a, b) => a - b)).toEqual(expected);
  });

  it.each([
    [{}, ['Ann', 'Bob 100%']],
    [{ name: { like: 'A%' } }, ['Ann']],
    [{ name: { startsWith: 'Bo' } }, ['Bob 100%']],
    [{ name: { endsWith: '0%' } }, ['Bob 100%']],
    [{ name: { endsWith: 'n%' } }, []],
    [{ name: { contains: '%' } }, ['Bob 100%']],
    [{ name: { contains: '_' } }, []],
    [{ name: { like: 'A\\' } }, []],
    [{ vip: true }, ['Bob 100%']],
    [{ country: { ne: 'CH' } }, ['Bob 100%']],
    [{ credit: '9007199254740993' }, ['Ann']],
    [{ credit: { gt: '9007199254740992' } }, ['Ann']],
    [{ address: { city: 'Bern' } }, ['Ann']],
    [{ 'address.city': { in: ['Bern', null] } }, ['Ann']],
    [{ orders: { amount: { gt: 20 } } }, ['Ann']],
    [{ not: { orders: { products: { sku: 'desk' } } } }, ['Bob 100%']],
  ])('customers where %j are %j (removed ones are never seen)', async (where, expected) => {
    expect(await names(where)).toEqual(expected);
  });

  it('orders, pages, and always breaks ties by the primary key', async () => {
    const page = async (orderBy: unknown, more = {}) =>
      (await run({ entity: 'order', select: ['id'], orderBy, ...more })).map((row) => row['id']);
    expect(await page('-amount')).toEqual([2, 1, 3, 4, 5]);
    expect(await page({ status: 'desc', amount: 'asc' })).toEqual([2, 5, 4, 3, 1]);
    expect(await page([{ field: 'amount', dir: 'desc' }], { limit: 2, offset: 1 })).toEqual([1, 3]);
    expect(await page(['status'])).toEqual([1, 3, 4, 5, 2]);
    expect(await page({ 'customer.name': 'desc' }, { where: { customer: {} } })).toEqual([3, 1, 2]);
    expect(await page('amount', { limit: 0 })).toEqual([]);
  });

  it('brings related records along, in one statement a relation, without multiplying rows', async () => {
    const rows = await run({
      entity: 'customer',
      select: ['name'],
      orderBy: 'name',
      include: { orders: { select: ['quantity'], orderBy: '-quantity', include: ['products'] } },
    });
    expect(rows).toEqual([
      {
        name: 'Ann',
        orders: [
          {
            quantity: 2,
            products: [
              { sku: 'desk', price: '99.90' },
              { sku: 'lamp', price: '5' },
            ],
          },
          { quantity: 1, products: [] },
        ],
      },
      { name: 'Bob 100%', orders: [{ quantity: 3, products: [{ sku: 'lamp', price: '5' }] }] },
    ]);
    expect(statements).toHaveLength(3);
    const [order] = await run({ entity: 'order', select: ['id'], where: { id: 1 }, include: ['customer.orders'] });
    expect(order).toMatchObject({ id: 1, customer: { name: 'Ann', orders: [{ id: 1 }, { id: 2 }] } });
    const alone = await run({
      entity: 'order',
      select: ['id'],
      where: { quantity: { gte: 4 } },
      include: ['customer'],
    });
    expect(alone).toEqual([
      { id: 4, customer: null },
      { id: 5, customer: null },
    ]);
    const first = await run({
      entity: 'customer',
      select: ['name'],
      include: { orders: { select: ['id'], limit: 1 } },
    });
    expect(first.map((row) => (row['orders'] as unknown[]).length)).toEqual([1, 1]);
  });

  it('counts and sums exactly, whole or in groups', async () => {
    expect(await run({ entity: 'order', aggregate: { count: true } })).toEqual([{ count: 5 }]);
    expect(
      await run({
        entity: 'order',
        where: { customerId: ann.id },
        aggregate: { sum: ['amount', 'quantity'], max: ['placedOn'] },
      }),
    ).toEqual([{ sum: { amount: '30.50', quantity: 3 }, max: { placedOn: '2026-03-01' } }]);
    expect(
      await run({
        entity: 'order',
        aggregate: { count: true, avg: ['quantity'], min: ['amount'] },
        groupBy: ['status'],
      }),
    ).toEqual([
      { status: 'open', count: 4, avg: { quantity: 4.25 }, min: { amount: '0.00' } },
      { status: 'paid', count: 1, avg: { quantity: 2 }, min: { amount: '20.50' } },
    ]);
    expect(
      await run({ entity: 'order', aggregate: { count: true }, groupBy: ['customerId'], orderBy: '-count', limit: 1 }),
    ).toEqual([{ customerId: ann.id, count: 2 }]);
    expect(await run({ entity: 'order', where: { id: -1 }, aggregate: { sum: ['amount'] } })).toEqual([
      { sum: { amount: null } },
    ]);
  });

  it('reads at most one row more than the run may, and counts included rows', async () => {
    mostRows = 2;
    expect(await run({ entity: 'order', select: ['id'] })).toHaveLength(3);
    mostRows = 10;
    rowsRead = 0;
    await run({ entity: 'customer', include: ['orders'] });
    expect(rowsRead).toBe(2 + 3);
  });

  it.each([
    ['no query', undefined, /must be an object/],
    ['an unknown entity', { entity: 'custmer' }, /no entity "custmer" that scripts may read. Did you mean "customer"/],
    ['an entity that scripts may not read', { entity: 'ledger' }, /no entity "ledger"/],
    ['an entity that only fires', { entity: 'signal' }, /no entity "signal"/],
    ['a prototype property as entity', { entity: '__proto__' }, /no entity/],
    ['an unknown field', { entity: 'order', where: { amout: 1 } }, /no field "amout" .* Did you mean "amount"/],
    ['a field hidden by select: false', { entity: 'customer', where: { secret: 'hush' } }, /no field "secret"/],
    ['an unreadable field', { entity: 'product', select: ['cost'] }, /no field "cost"/],
    ['an unreadable field in orderBy', { entity: 'product', orderBy: 'cost' }, /no field "cost"/],
    ['an unreadable field in an aggregate', { entity: 'product', aggregate: { sum: ['cost'] } }, /no field "cost"/],
    [
      'an unreadable field of a relation',
      { entity: 'order', where: { products: { cost: { gt: 0 } } } },
      /no field "cost"/,
    ],
    [
      'a relation to an unreadable entity',
      { entity: 'customer', where: { ledgers: { text: 'SECRET' } } },
      /no field "ledgers"/,
    ],
    ['an include of an unreadable entity', { entity: 'customer', include: ['ledgers'] }, /no field "ledgers"/],
    ['SQL as a field', { entity: 'order', where: { 'id" = 1 or 1=1 --': 1 } }, /no field/],
    ['SQL in orderBy', { entity: 'order', orderBy: '(case when (select 1) then id end)' }, /no field/],
    [
      'SQL as a direction',
      { entity: 'order', orderBy: { id: 'asc; drop table x' } },
      /must be ordered 'asc' or 'desc'/,
    ],
    ['SQL as a limit', { entity: 'order', limit: '1; drop table x' }, /limit must be a whole number/],
    ['a negative limit', { entity: 'order', limit: -1 }, /limit must be a whole number/],
    ['a huge offset', { entity: 'order', offset: 1e9 }, /offset must be a whole number/],
    [
      '__proto__ in where',
      { entity: 'order', where: JSON.parse('{"__proto__": 1}') as unknown },
      /no field "__proto__"/,
    ],
    ['constructor in where', { entity: 'order', where: { constructor: { name: 'x' } } }, /no field "constructor"/],
    ['__proto__ in include', { entity: 'order', include: ['__proto__.x'] }, /no field "__proto__"/],
    ['an object as a value', { entity: 'order', where: { customerId: { eq: { x: 1 } } } }, /give a UUID/],
    ['an array as a value', { entity: 'order', where: { amount: [1, 2] } }, /use \{ in: \[...\] \}/],
    ['arrays that shift bound values', { entity: 'order', where: { amount: { eq: [1, 'T2'] } } }, /give a number/],
    ['a nested array in a list', { entity: 'order', where: { quantity: { in: [[1]] } } }, /give a number/],
    ['a fake FindOperator', { entity: 'order', where: { amount: { '@instanceof': 'FindOperator' } } }, /no operator/],
    ['an unknown operator', { entity: 'order', where: { amount: { gtee: 1 } } }, /Did you mean gte/],
    ['no operator', { entity: 'order', where: { amount: {} } }, /has no operator/],
    ['like on a number', { entity: 'order', where: { quantity: { like: '1%' } } }, /compares strings/],
    ['an order of booleans', { entity: 'customer', where: { vip: { gt: false } } }, /cannot be used/],
    ['equality of json', { entity: 'customer', where: { meta: { eq: { a: 1 } } } }, /cannot be used/],
    ['a number that does not fit', { entity: 'order', where: { quantity: 1e12 } }, /whole number/],
    ['a fraction for an integer', { entity: 'order', where: { quantity: 1.5 } }, /whole number/],
    ['a word for a decimal', { entity: 'order', where: { amount: 'NaN' } }, /decimal/],
    ['a special date', { entity: 'order', where: { placedOn: 'infinity' } }, /a date such as/],
    ['a day that does not exist', { entity: 'order', where: { placedOn: '2026-02-30' } }, /a date such as/],
    ['a special time', { entity: 'order', where: { sentAt: 'now' } }, /a date and time/],
    ['a word for an enum', { entity: 'order', where: { status: 'opened' } }, /one of open, paid, void/],
    ['U+0000 in a text', { entity: 'customer', where: { name: 'a\u0000' } }, /U\+0000/],
    ['a bad uuid', { entity: 'customer', where: { id: "' or 1=1" } }, /give a UUID/],
    ['a relation as a value', { entity: 'order', where: { customer: 'x' } }, /is a relation/],
    ['an unknown option', { entity: 'order', comment: '*/ ; --' }, /no option "comment"/],
    ['an order by json', { entity: 'customer', orderBy: 'meta' }, /cannot order by/],
    ['an order by a to-many relation', { entity: 'customer', orderBy: 'orders.amount' }, /many orders/],
    ['groupBy without aggregate', { entity: 'order', groupBy: ['status'] }, /no option "groupBy"/],
    ['a sum of texts', { entity: 'order', aggregate: { sum: ['status'] } }, /cannot take status/],
    ['an empty aggregate', { entity: 'order', aggregate: {} }, /asks for nothing/],
    ['select that is no list', { entity: 'order', select: 'id' }, /array of field names/],
    ['or that is no list', { entity: 'order', where: { or: { id: 1 } } }, /must be an array/],
    [
      'a list that is too long',
      { entity: 'order', where: { id: { in: Array.from({ length: 1_001 }, () => 1) } } },
      /at most 1000/,
    ],
    [
      'too many conditions',
      { entity: 'order', where: { or: Array.from({ length: 101 }, () => ({ id: 1 })) } },
      /at most 100/,
    ],
    ['too deep conditions', { entity: 'order', where: nest(20) }, /nested too deeply/],
    [
      'too many relations',
      { entity: 'order', where: { or: Array.from({ length: 9 }, () => ({ customer: { vip: true } })) } },
      /at most 8 relations/,
    ],
  ])('refuses %s and sends nothing', async (_what, query, message) => {
    const error = await run(query).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ScriptFacingError);
    expect((error as ScriptFacingError).message).toMatch(message);
    expect((error as ScriptFacingError).code).toMatch(/^SANDBOX_/);
    expect(statements).toEqual([]);
    expect(({} as Record<string, unknown>)['include']).toBeUndefined();
  });
});

function nest(depth: number): unknown {
  return depth === 0 ? { id: 1 } : { not: nest(depth - 1) };
}
