import { InvalidValueError } from '../../errors/bridge.errors.js';
import type { Field, FieldKind } from '../../scripts/entity-catalog.js';

const INTEGER_RANGES: ReadonlyMap<string, number> = new Map([
  ...['smallint', 'int2'].map((type) => [type, 32_767] as const),
  ...['int', 'int4', 'integer', 'number'].map((type) => [type, 2_147_483_647] as const),
]);
const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?$/;
const BIGINT = /^[+-]?\d{1,19}$/;
const ISO_DATE = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/;
const ISO_DATETIME = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/;
const TIME = /^(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}(?::?\d{2})?)?$/;
const UUID = /^[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Makes a parameter of a checked value, or throws `InvalidValueError` (with `where` as the name of the place). */
type Check = (value: unknown, where: string, field: Field) => unknown;

/**
 * Checks a value a script sent against the kind of its column and turns it into the parameter the driver gets. Whatever
 * passes has the one type its column has: an object, an array or a function never reaches a driver as a scalar's value.
 * Column transformers see the value first, and what they make of it is checked. Throws `InvalidValueError`.
 */
export function parameterFor(field: Field, value: unknown, where: string): unknown {
  const own = field.column.transformer ? transformed(field, value, where) : value;
  return PACKED.has(String(field.column.type)) ? packed(field, own, where) : CHECKS[field.kind](own, where, field);
}

/** The kind of the elements of an array column. */
export function elementKind(field: Field): FieldKind {
  const type = String(field.column.type);
  if (type === 'simple-array') return 'string';
  if (field.column.enum) return 'enum';
  if (INTEGER_RANGES.has(type) || /^(?:float|double|real)/.test(type)) return 'number';
  if (/^(?:numeric|decimal)/.test(type)) return 'decimal';
  if (/^(?:bigint|int8)/.test(type)) return 'bigint';
  if (type.startsWith('bool')) return 'boolean';
  return type === 'uuid' ? 'uuid' : 'string';
}

const PACKED = new Set(['simple-array', 'simple-json']);

/** Arrays and objects that TypeORM keeps in a text column. */
function packed(field: Field, value: unknown, where: string): unknown {
  if (field.column.type === 'simple-json') return json(value, where, field);
  const elements = array(value, where, field) as (string | null)[];
  const comma = elements.find((element) => element === null || element.includes(','));
  if (comma !== undefined) throw new InvalidValueError(where, comma, 'strings without a comma');
  return elements.join(',');
}

function transformed(field: Field, value: unknown, where: string): unknown {
  const { transformer } = field.column;
  const steps = Array.isArray(transformer) ? transformer : [transformer];
  try {
    return steps.reduce<unknown>((current, step) => step?.to(current) as unknown, value);
  } catch {
    throw new InvalidValueError(where, value, 'a value that the column can be made from');
  }
}

function integerOrFloat(value: unknown, where: string, field: Field): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new InvalidValueError(where, value, 'a number');
  const most = integerRange(field);
  if (most === undefined) return value;
  if (!Number.isInteger(value) || value > most || value < -most - 1) {
    throw new InvalidValueError(where, value, `a whole number from ${-most - 1} to ${most}`);
  }
  return value;
}

function integerRange(field: Field): number | undefined {
  if (field.column.type === Number) return 2_147_483_647;
  return INTEGER_RANGES.get(String(field.column.type));
}

function text(value: unknown, where: string): string {
  if (typeof value !== 'string') throw new InvalidValueError(where, value, 'a string');
  if (value.includes('\u0000')) throw new InvalidValueError(where, value, 'a string without the character U+0000');
  return value;
}

function bool(value: unknown, where: string): boolean {
  if (typeof value !== 'boolean') throw new InvalidValueError(where, value, 'true or false');
  return value;
}

function bigint(value: unknown, where: string): string {
  const given = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
  if (typeof given !== 'string' || !BIGINT.test(given)) {
    throw new InvalidValueError(where, value, 'a whole number, as a string where it is beyond 2^53');
  }
  return given;
}

function decimal(value: unknown, where: string): string {
  const given = typeof value === 'number' && Number.isFinite(value) ? String(value) : value;
  if (typeof given !== 'string' || given.length > 200 || !DECIMAL.test(given)) {
    throw new InvalidValueError(where, value, 'a number, or a decimal as a string such as "12.50"');
  }
  return given;
}

function datetime(value: unknown, where: string): Date {
  const time = value instanceof Date ? value.getTime() : isoTime(value);
  if (Number.isNaN(time)) throw new InvalidValueError(where, value, 'a date and time such as "2026-01-31T12:00:00Z"');
  return new Date(time);
}

function isoTime(value: unknown): number {
  if (typeof value !== 'string' || !ISO_DATETIME.test(value) || !isDay(value.slice(0, 10))) return Number.NaN;
  return Date.parse(value.replace(' ', 'T'));
}

/** Whether the day exists: JavaScript reads February 30 as March 2. */
function isDay(day: string): boolean {
  const time = ISO_DATE.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
}

function date(value: unknown, where: string): string {
  const given = value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : value;
  const day = typeof given === 'string' && ISO_DATETIME.test(given) ? given.slice(0, 10) : '';
  if (!isDay(day)) throw new InvalidValueError(where, value, 'a date such as "2026-01-31"');
  return day;
}

function time(value: unknown, where: string): string {
  if (typeof value !== 'string' || !TIME.test(value)) {
    throw new InvalidValueError(where, value, 'a time such as "12:30:00"');
  }
  return value;
}

function uuid(value: unknown, where: string): string {
  if (typeof value !== 'string' || !UUID.test(value)) throw new InvalidValueError(where, value, 'a UUID');
  return value;
}

function json(value: unknown, where: string, _field: Field): string {
  const given = JSON.stringify(value) as string | undefined;
  if (given === undefined) throw new InvalidValueError(where, value, 'a JSON value');
  if (given.includes('\\u0000')) throw new InvalidValueError(where, value, 'JSON without the character U+0000');
  return given;
}

function binary(value: unknown, where: string): Buffer {
  if (Buffer.isBuffer(value)) return value;
  if (typeof value !== 'string' || !BASE64.test(value)) throw new InvalidValueError(where, value, 'base64 text');
  return Buffer.from(value, 'base64');
}

function oneOf(value: unknown, where: string, field: Field): unknown {
  const allowed = field.column.enum ?? [];
  const known = allowed.find((each) => each === value || (typeof value === 'string' && String(each) === value));
  if (known === undefined) throw new InvalidValueError(where, value, `one of ${allowed.slice(0, 20).join(', ')}`);
  return String(known);
}

function array(value: unknown, where: string, field: Field): unknown {
  if (!Array.isArray(value)) throw new InvalidValueError(where, value, 'an array');
  const check = CHECKS[elementKind(field)];
  return value.map((each, at) => (each === null ? null : check(each, `${where}[${at}]`, field)));
}

const CHECKS: Readonly<Record<FieldKind, Check>> = {
  string: text,
  number: integerOrFloat,
  boolean: bool,
  datetime,
  date,
  time,
  bigint,
  decimal,
  uuid,
  json,
  binary,
  enum: oneOf,
  array,
};
