import { checkCondition } from './check-condition.js';
import type { EntityEntry, FieldKind } from './entity-catalog.js';
import { likeMatcher } from './like-pattern.js';
import { compileCondition } from './trigger-condition.js';
import type { TriggerCondition } from './script.js';

const kinds: Record<string, FieldKind> = {
  id: 'number',
  status: 'string',
  zip: 'string',
  amount: 'decimal',
  counter: 'bigint',
  score: 'number',
  paid: 'boolean',
  createdAt: 'datetime',
  due: 'date',
  tags: 'json',
  'address.city': 'string',
};
const fields = Object.entries(kinds).map(([name, kind]) => ({ name, kind }));
const entry = {
  name: 'order',
  fields,
  fieldsByName: new Map(fields.map((field) => [field.name, field])),
} as unknown as EntityEntry;

const record = {
  id: 7,
  status: 'open',
  zip: '007',
  amount: '100.50',
  counter: '9007199254740993',
  score: 3,
  paid: false,
  createdAt: '2026-01-02T03:04:05.000Z',
  due: '2026-01-31',
  tags: ['a', { b: 1 }],
  address: { city: 'Bern' },
  note: null,
};

const test = (where: Record<string, unknown>, known: EntityEntry | undefined = entry) =>
  compileCondition(
    { record: where },
    known,
  )({
    entity: 'order',
    operation: 'update',
    recordId: '7',
    record,
    prevRecord: { ...record, status: 'draft', amount: '99' },
    changed: ['status', 'amount', 'address.city'],
  });

describe('compileCondition', () => {
  it.each<[Record<string, unknown>, boolean]>([
    [{ status: 'open' }, true],
    [{ status: 'Open' }, false],
    [{ zip: '7' }, false],
    [{ amount: '100.5' }, true],
    [{ amount: 100.5 }, true],
    [{ amount: { gt: 9 } }, true],
    [{ amount: { gt: '100.499999999999999999999' } }, true],
    [{ amount: { gte: 100.51 } }, false],
    [{ amount: { lt: '1000' } }, true],
    [{ amount: { between: [100, '100.50'] } }, true],
    [{ counter: '9007199254740992' }, false],
    [{ counter: { gt: '9007199254740992' } }, true],
    [{ score: { ne: 3 } }, false],
    [{ score: { in: [1, 3] } }, true],
    [{ score: { notIn: [1, 3] } }, false],
    [{ paid: false }, true],
    [{ createdAt: '2026-01-02T04:04:05+01:00' }, true],
    [{ createdAt: { lt: '2026-01-02T03:04:05Z' } }, false],
    [{ due: { lte: '2026-02-01' } }, true],
    [{ status: { like: 'o%n' } }, true],
    [{ status: { like: 'o_n' } }, false],
    [{ status: { startsWith: 'op', endsWith: 'en', contains: 'pe' } }, true],
    [{ note: { isNull: true } }, true],
    [{ note: null }, true],
    [{ note: { ne: 'x' } }, true],
    [{ note: { lt: 5 } }, false],
    [{ note: { like: '%' } }, false],
    [{ note: { in: ['x', null] } }, true],
    [{ missing: null }, true],
    [{ tags: { eq: ['a', { b: 1 }] } }, true],
    [{ address: { city: 'Bern' } }, true],
    [{ address: { city: { ne: 'Bern' } } }, false],
    [{ 'address.city': { startsWith: 'B' } }, true],
    [{ or: [{ status: 'shut' }, { paid: false }] }, true],
    [{ and: [{ status: 'open' }, { paid: true }] }, false],
    [{ and: { status: 'open' } }, true],
    [{ not: { status: 'open', paid: true } }, true],
    [{ not: [{ status: 'open' }, { paid: false }] }, false],
    [{ status: 'open', or: [{ score: 9 }, { not: { score: 3 } }] }, false],
  ])('%j is %s', (where, expected) => expect(test(where)).toBe(expected));

  it('looks at the before image and at what changed', () => {
    const fires = (when: TriggerCondition, changed: string[]) =>
      compileCondition(
        when,
        entry,
      )({
        entity: 'order',
        operation: 'update',
        recordId: '7',
        record,
        prevRecord: { status: 'draft' },
        changed,
      });
    expect(fires({ prevRecord: { status: 'draft' }, record: { status: 'open' } }, [])).toBe(true);
    expect(fires({ prevRecord: { status: 'open' } }, [])).toBe(false);
    expect(fires({ changed: ['status', 'amount'] }, ['amount'])).toBe(true);
    expect(fires({ changed: ['status'] }, ['amount'])).toBe(false);
    expect(fires({ changed: ['address'] }, ['address.city'])).toBe(true);
    expect(fires({}, [])).toBe(true);
  });

  it('still tests what it can where the entity is not known', () => {
    expect(compileCondition({ record: { amount: { gt: 9 }, address: { city: 'Bern' } } })).toBeInstanceOf(Function);
    const change = {
      entity: 'order',
      operation: 'create',
      recordId: '1',
      record,
      prevRecord: {},
      changed: [],
    } as const;
    expect(compileCondition({ record: { amount: { gt: 9 }, address: { city: 'Bern' } } })(change)).toBe(true);
  });
});

describe('likeMatcher', () => {
  it.each([
    ['', '', true],
    ['', '%', true],
    ['abc', 'a%c%', true],
    ['a%c', 'a\\%c', true],
    ['abc', 'a\\%c', false],
    ['ab\nc', 'ab_c', true],
    ['aXbXc', '%X%X%X%', false],
  ])('%j like %j is %s', (text, pattern, expected) => expect(likeMatcher(pattern)(text)).toBe(expected));

  it('takes no exponential time', () => {
    const started = performance.now();
    expect(likeMatcher(`${'%a'.repeat(100)}%b`)('a'.repeat(10_000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});

describe('checkCondition', () => {
  it('takes what makes sense', () => {
    const when = {
      changed: ['status', 'address'],
      record: { amount: { gte: '100.5' }, or: [{ address: { city: { like: 'B%' } } }, { not: { due: '2026-01-01' } }] },
      prevRecord: { status: { ne: null }, tags: { eq: { any: 'json' } }, counter: { between: [1, '2'] } },
    };
    expect(checkCondition(when, entry)).toEqual(when);
    expect(checkCondition(undefined, entry)).toBeUndefined();
  });

  it.each<[unknown, string | RegExp]>([
    ['x', /^when: expected an object/],
    [{ records: {} }, /^when\.records: is not part of a condition/],
    [{ changed: 'status' }, /^when\.changed: expected an array/],
    [{ changed: ['statuss'] }, /^when\.changed: order has no "statuss"; did you mean "status"\?/],
    [{ record: { amont: 1 } }, /^when\.record\.amont: order has no "amont"; did you mean "amount"\?/],
    [{ record: { amount: { more: 1 } } }, /^when\.record\.amount\.more: is not an operator/],
    [
      { record: { amount: { gt: 'much' } } },
      /^when\.record\.amount\.gt: expected a number, or a numeric string \(amount is a decimal column\), got "much"$/,
    ],
    [{ record: { amount: { gt: null } } }, /^when\.record\.amount\.gt: expected a number/],
    [{ record: { status: 5 } }, /^when\.record\.status: expected a text/],
    [{ record: { paid: 'false' } }, /^when\.record\.paid: expected true or false/],
    [{ record: { due: 'soon' } }, /^when\.record\.due: expected an ISO date/],
    [{ record: { status: ['a'] } }, /^when\.record\.status: expected a text/],
    [{ record: { status: { in: [] } } }, /^when\.record\.status\.in: expected an array of 1 to/],
    [{ record: { score: { between: [1] } } }, /^when\.record\.score\.between: expected an array of two/],
    [{ record: { status: { isNull: 1 } } }, /^when\.record\.status\.isNull: expected true or false/],
    [{ record: { or: {} } }, /^when\.record\.or: expected an array of conditions/],
    [{ record: { or: [{ x: 1 }] } }, /^when\.record\.or\[0\]\.x: order has no "x"/],
    [{ record: { customer: { name: 'x' } } }, /^when\.record\.customer: order has no "customer"/],
    [{ record: { address: { town: 'x' } } }, /^when\.record\.address\.town: order has no "address\.town"/],
    [{ record: { due: { like: '2026%' } } }, 'compares texts; due is a date column'],
    [{ record: { status: { like: 'x'.repeat(1001) } } }, /at most 1000 characters/],
  ])('refuses %j', (when, message) => expect(() => checkCondition(when, entry)).toThrow(message));

  it('refuses conditions that would be slow to test', () => {
    let deep: Record<string, unknown> = { status: 'x' };
    for (let level = 0; level < 10; level++) deep = { not: deep };
    expect(() => checkCondition({ record: deep }, entry)).toThrow('nest at most 8 deep');
    const wide = { or: Array.from({ length: 101 }, () => ({ status: 'x' })) };
    expect(() => checkCondition({ record: wide }, entry)).toThrow('more than 100 clauses');
  });
});
