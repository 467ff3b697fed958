import type { FieldKind } from './entity-catalog.js';

/**
 * Orders two wire values of a field: negative, 0 or positive; NaN where they cannot be ordered (null, an unparsable date).
 * Numbers, decimals and bigints by their exact value, dates by their time, anything else as text by code units.
 * Where `kind` is unknown, two values that are both numeric and not both text compare as numbers.
 */
export function compareAs(kind: FieldKind | undefined, left: unknown, right: unknown): number {
  if (left === null || left === undefined || right === null || right === undefined) return Number.NaN;
  switch (kind ?? guessKind(left, right)) {
    case 'number':
    case 'decimal':
    case 'bigint':
      return compareNumbers(asText(left), asText(right));
    case 'datetime':
    case 'date':
      return Date.parse(asText(left)) - Date.parse(asText(right));
    case 'boolean':
      return Number(left) - Number(right);
    default:
      return compareText(asText(left), asText(right));
  }
}

function guessKind(left: unknown, right: unknown): FieldKind {
  if (typeof left === 'boolean' && typeof right === 'boolean') return 'boolean';
  return typeof left === 'number' || typeof right === 'number' ? 'number' : 'string';
}

function compareText(left: string, right: string): number {
  return left === right ? 0 : left < right ? -1 : 1;
}

const DECIMAL = /^\s*([+-]?)(\d*)(?:\.(\d*))?\s*$/;

/** Exact for decimals of any length: "12345678901234567890.12" does not fit a double. */
function compareNumbers(left: string, right: string): number {
  const a = DECIMAL.exec(left);
  const b = DECIMAL.exec(right);
  if (!a || !b) return Number(left) - Number(right);
  const digits = Math.max(a[3]?.length ?? 0, b[3]?.length ?? 0);
  const difference = scaled(a, digits) - scaled(b, digits);
  return difference === 0n ? 0 : difference < 0n ? -1 : 1;
}

function scaled([, sign, whole, fraction = '']: RegExpExecArray, digits: number): bigint {
  const value = BigInt((whole ?? '') + fraction.padEnd(digits, '0') || '0');
  return sign === '-' ? -value : value;
}

/** A wire value as text: a string as it is, anything else as JSON. */
export function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
