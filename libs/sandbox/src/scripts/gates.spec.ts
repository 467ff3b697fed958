import type { Change } from '../protocol/change.js';
import { checkGates } from './check-gates.js';
import type { EntityEntry } from './entity-catalog.js';
import { gateKeyOf } from './gate-key.js';
import type { ScriptDefinition } from './script.js';

const fields = ['id', 'customerId', 'amount', 'address.city'].map((name) => ({ name }));
const order = {
  name: 'order',
  fields,
  fieldsByName: new Map(fields.map((field) => [field.name, field])),
} as unknown as EntityEntry;

describe('checkGates', () => {
  it.each([
    [{}, {}],
    [{ dedupe: null }, {}],
    [{ dedupe: { windowMs: 1_000 } }, { dedupe: { windowMs: 1_000 } }],
    [
      { debounce: { key: ['customerId', 'address.city'], delayMs: 5 } },
      { debounce: { key: ['customerId', 'address.city'], delayMs: 5 } },
    ],
    [{ throttle: { limit: 3, windowMs: 60_000 } }, { throttle: { limit: 3, windowMs: 60_000 } }],
  ])('takes %j', (given, expected) => expect(checkGates(given, order)).toEqual(expected));

  it.each<[object, RegExp]>([
    [
      { dedupe: { windowMs: 1 }, throttle: { limit: 1, windowMs: 1 } },
      /^throttle: a script has one of dedupe, debounce and throttle, not dedupe and throttle\./,
    ],
    [{ dedupe: 5 }, /^dedupe: expected \{ key, windowMs \}, got 5$/],
    [{ dedupe: { window: 5 } }, /^dedupe\.window: there is no such property; did you mean "windowMs"\?/],
    [{ dedupe: {} }, /^dedupe\.windowMs: expected a whole number from 1 to 2592000000, got undefined$/],
    [{ debounce: { delayMs: 0.5 } }, /^debounce\.delayMs: expected a whole number/],
    [
      { debounce: { delayMs: 5, key: 'customerId' } },
      /^debounce\.key: expected an array of 1 to 10 field names, such as \["id"\], got "customerId"/,
    ],
    [
      { debounce: { delayMs: 5, key: ['custmerId'] } },
      /^debounce\.key: order has no "custmerId"; did you mean "customerId"\? It has id, /,
    ],
    [{ throttle: { limit: 0, windowMs: 5 } }, /^throttle\.limit: expected a whole number from 1/],
    [
      { throttle: { limit: 1, windowMs: 5, key: ['id'] } },
      /^throttle\.key: there is no such property\. Known: limit, windowMs$/,
    ],
  ])('refuses %j, and says what would do', (given, problem) => {
    expect(() => checkGates(given, order)).toThrow(problem);
  });
});

describe('gateKeyOf', () => {
  const change = {
    entity: 'order',
    operation: 'update',
    recordId: '7',
    prevRecord: {},
    changed: [],
    record: { id: '7', amount: '1.50', address: { city: 'Bern' } },
  } as unknown as Change;
  const key = (definition: Partial<ScriptDefinition>, over: Partial<Change> = {}) =>
    gateKeyOf(definition as ScriptDefinition, { ...change, ...over });

  it('is the id unless fields are named, and nothing without a gate', () => {
    expect(key({})).toBeUndefined();
    expect(key({ dedupe: { windowMs: 1 } })).toBe('["7"]');
    expect(key({ debounce: { delayMs: 1, key: ['amount', 'address.city', 'gone'] } })).toBe('["1.50","Bern",null]');
    expect(key({ throttle: { limit: 1, windowMs: 1 } })).toBe('');
  });

  it('is that of the record that was, where it is no more', () => {
    const removed = { operation: 'delete' as const, record: {}, prevRecord: { amount: '2.50' } };
    expect(key({ dedupe: { windowMs: 1, key: ['amount'] } }, removed)).toBe('["2.50"]');
  });

  it('stays short, and differs where the values do', () => {
    const long = (text: string) => key({ dedupe: { windowMs: 1, key: ['amount'] } }, { record: { amount: text } });
    expect(long('x'.repeat(5_000))?.length).toBeLessThan(100);
    expect(long('x'.repeat(5_000))).not.toBe(long('x'.repeat(5_001)));
  });
});
