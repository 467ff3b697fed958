import { isDeepStrictEqual } from 'node:util';
import type { Change, JsonRecord } from '../protocol/change.js';
import { asText, compareAs } from './compare-values.js';
import type { EntityEntry, FieldKind } from './entity-catalog.js';
import { likeMatcher } from './like-pattern.js';
import { fieldValue } from './record-codec.js';
import type { TriggerCondition } from './script.js';

/** A condition made ready: tests one change, without I/O and without throwing. */
export type ConditionTest = (change: Change) => boolean;

/** How a field's value is compared; `undefined` where the entity is not known here. */
type Kind = FieldKind | undefined;
type ValueTest = (value: unknown) => boolean;
type RecordTest = (record: JsonRecord) => boolean;

/**
 * What an operator takes: a value of the field's type, a list of them, two of them, a text, a boolean.
 * `null` never compares as greater, less, alike or between; `ne` and `notIn` hold for it, as `!==` does in a script.
 */
export const OPERATORS = {
  eq: 'value',
  ne: 'value',
  gt: 'value',
  gte: 'value',
  lt: 'value',
  lte: 'value',
  in: 'list',
  notIn: 'list',
  between: 'pair',
  like: 'text',
  startsWith: 'text',
  endsWith: 'text',
  contains: 'text',
  isNull: 'boolean',
} as const;

/** What combines conditions: `or` takes an array, `and` and `not` one condition or several that must all hold. */
export type Logical = 'or' | 'and' | 'not';

/** The operators of conditions, the same as those of a query's `where`. */
export type Operator = keyof typeof OPERATORS;

/**
 * Makes a condition ready for testing. `entry` (the entity as this process knows it) decides how values are compared:
 * decimals and bigints by their numeric value, dates by their time; without it the operands decide.
 */
export function compileCondition(condition: TriggerCondition | undefined, entry?: EntityEntry): ConditionTest {
  if (!condition) return () => true;
  const { changed } = condition;
  const record = condition.record && whereTest(condition.record, entry, '');
  const prevRecord = condition.prevRecord && whereTest(condition.prevRecord, entry, '');
  return (change) =>
    (!changed || changed.some((name) => wasChanged(change, name))) &&
    (!record || record(change.record)) &&
    (!prevRecord || prevRecord(change.prevRecord));
}

/** A change of `address.city` is a change of `address` too. */
function wasChanged(change: Change, name: string): boolean {
  return change.changed.some((changed) => changed === name || changed.startsWith(`${name}.`));
}

function whereTest(
  where: Readonly<Record<string, unknown>>,
  entry: EntityEntry | undefined,
  prefix: string,
): RecordTest {
  const tests = Object.entries(where).map(([key, value]) => clauseTest(key, value, entry, prefix));
  return (record) => tests.every((test) => test(record));
}

type Where = Readonly<Record<string, unknown>>;

function clauseTest(key: string, value: unknown, entry: EntityEntry | undefined, prefix: string): RecordTest {
  if (isLogical(key)) return logicalTest(key, value as Where | readonly Where[], entry, prefix);
  const name = prefix + key;
  if (isNested(value, name, entry)) return whereTest(value as Where, entry, `${name}.`);
  const test = fieldTest(value, entry?.fieldsByName.get(name)?.kind);
  return (record) => test(fieldValue(record, name));
}

function logicalTest(
  key: Logical,
  value: Where | readonly Where[],
  entry: EntityEntry | undefined,
  prefix: string,
): RecordTest {
  const parts = isPlainObject(value) ? [value] : (value as readonly Where[]);
  const tests = parts.map((where) => whereTest(where, entry, prefix));
  const every: RecordTest = (record) => tests.every((test) => test(record));
  if (key === 'and') return every;
  return key === 'or' ? (record) => tests.some((test) => test(record)) : (record) => !every(record);
}

/** Whether `value` speaks of the properties of an embedded object instead of being operators. */
export function isNested(value: unknown, name: string, entry: EntityEntry | undefined): boolean {
  if (!isPlainObject(value) || entry?.fieldsByName.has(name)) return false;
  return entry?.fields.some((field) => field.name.startsWith(`${name}.`)) ?? !Object.keys(value).some(isOperator);
}

function fieldTest(value: unknown, kind: Kind): ValueTest {
  if (!isPlainObject(value)) return operatorTest('eq', value, kind);
  const tests = Object.entries(value).map(([operator, operand]) => operatorTest(operator as Operator, operand, kind));
  return (actual) => tests.every((test) => test(actual));
}

function operatorTest(operator: Operator, operand: unknown, kind: Kind): ValueTest {
  switch (operator) {
    case 'eq':
      return (value) => isEqual(value, operand, kind);
    case 'ne':
      return (value) => !isEqual(value, operand, kind);
    case 'in':
      return (value) => (operand as unknown[]).some((item) => isEqual(value, item, kind));
    case 'notIn':
      return (value) => !(operand as unknown[]).some((item) => isEqual(value, item, kind));
    case 'isNull':
      return (value) => isNil(value) === operand;
    case 'between':
      return (value) => isBetween(value, operand as [unknown, unknown], kind);
    case 'like':
    case 'startsWith':
    case 'endsWith':
    case 'contains':
      return textTest(operator, operand as string);
    default:
      return orderTest(operator, operand, kind);
  }
}

function orderTest(operator: 'gt' | 'gte' | 'lt' | 'lte', operand: unknown, kind: Kind): ValueTest {
  const compare = (value: unknown) => compareAs(kind, value, operand);
  switch (operator) {
    case 'gt':
      return (value) => compare(value) > 0;
    case 'gte':
      return (value) => compare(value) >= 0;
    case 'lt':
      return (value) => compare(value) < 0;
    default:
      return (value) => compare(value) <= 0;
  }
}

function textTest(operator: 'like' | 'startsWith' | 'endsWith' | 'contains', operand: string): ValueTest {
  const test = {
    like: likeMatcher(operand),
    startsWith: (text: string) => text.startsWith(operand),
    endsWith: (text: string) => text.endsWith(operand),
    contains: (text: string) => text.includes(operand),
  }[operator];
  return (value) => !isNil(value) && test(asText(value));
}

function isBetween(value: unknown, [low, high]: readonly [unknown, unknown], kind: Kind): boolean {
  return compareAs(kind, value, low) >= 0 && compareAs(kind, value, high) <= 0;
}

function isEqual(value: unknown, operand: unknown, kind: Kind): boolean {
  if (isNil(value) || isNil(operand)) return isNil(value) && isNil(operand);
  if (typeof value === 'object' || typeof operand === 'object') return isDeepStrictEqual(value, operand);
  return compareAs(kind, value, operand) === 0;
}

function isNil(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

/** Whether it combines conditions. */
export function isLogical(key: string): key is Logical {
  return key === 'or' || key === 'and' || key === 'not';
}

/** Whether it is one of the operators. */
export function isOperator(key: string): key is Operator {
  return Object.hasOwn(OPERATORS, key);
}

/** Whether it is an object literal. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
