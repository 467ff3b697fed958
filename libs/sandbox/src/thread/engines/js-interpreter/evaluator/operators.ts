import {
  bigintBits,
  describe,
  isInstance,
  looselyEqual,
  toKey,
  toNumber,
  toNumeric,
  toPrimitive,
  toText,
} from '../convert.js';
import { machine, throwError } from '../machine.js';
import { Obj, type Value } from '../values.js';

export type Binary = (left: Value, right: Value) => Value;

/** Joins two strings; long results are ropes that the host shares, so only a part of their length is charged. */
export function concat(left: string, right: string): string {
  const length = left.length + right.length;
  if (length > machine.maxString) machine.chargeString(length);
  machine.charge(32 + (length >> 2));
  return left + right;
}

function add(left: Value, right: Value): Value {
  if (typeof left === 'number' && typeof right === 'number') return left + right;
  if (typeof left === 'string' && typeof right === 'string') return concat(left, right);
  const a = toPrimitive(left);
  const b = toPrimitive(right);
  if (typeof a === 'string' || typeof b === 'string') return concat(toText(a), toText(b));
  return numeric(
    a,
    b,
    (x, y) => x + y,
    (x, y) => x + y,
  );
}

/** Big integers may hold this many bits: more would take seconds in one operation that cannot be interrupted. */
const MAX_BIGINT_BITS = 1 << 18;

function numeric(
  left: Value,
  right: Value,
  numbers: (a: number, b: number) => number,
  bigints: (a: bigint, b: bigint) => bigint,
): Value {
  const a = toNumeric(left);
  const b = toNumeric(right);
  if (typeof a === 'number' && typeof b === 'number') return numbers(a, b);
  if (typeof a === 'number' || typeof b === 'number')
    return throwError('TypeError', 'Cannot mix BigInt and other types, use explicit conversions');
  const bits = bigintBits(a) + bigintBits(b);
  if (bits > MAX_BIGINT_BITS) return throwError('RangeError', 'Maximum BigInt size exceeded');
  machine.charge(24 + (bits >> 3));
  machine.spend(bits >> 8);
  return bigints(a, b);
}

function divide(a: bigint, b: bigint): bigint {
  return b === 0n ? throwError('RangeError', 'Division by zero') : a / b;
}

function remainder(a: bigint, b: bigint): bigint {
  return b === 0n ? throwError('RangeError', 'Division by zero') : a % b;
}

/** `a ** b`, also what the compiler makes of it. */
export function power(left: Value, right: Value): Value {
  return numeric(
    left,
    right,
    (a, b) => a ** b,
    (a, b) => {
      if (b < 0n) return throwError('RangeError', 'Exponent must be non-negative');
      const large = a > 1n || a < -1n;
      if (large && (b > 1_000_000n || bigintBits(a) * Number(b) > MAX_BIGINT_BITS * 4))
        return throwError('RangeError', 'Maximum BigInt size exceeded');
      return a ** b;
    },
  );
}

function shift(a: bigint, by: bigint): bigint {
  if (by > MAX_BIGINT_BITS) return a === 0n ? a : throwError('RangeError', 'Maximum BigInt size exceeded');
  return a << by;
}

/** `left < right` (ECMA-262 7.2.13); `undefined` where a side is NaN. */
function less(left: Value, right: Value, leftFirst: boolean): boolean | undefined {
  if (typeof left === 'number' && typeof right === 'number') {
    return left < right ? true : left >= right ? false : undefined;
  }
  let a: Exclude<Value, Obj>;
  let b: Exclude<Value, Obj>;
  if (leftFirst) {
    a = toPrimitive(left, 'number');
    b = toPrimitive(right, 'number');
  } else {
    b = toPrimitive(right, 'number');
    a = toPrimitive(left, 'number');
  }
  if (typeof a === 'symbol' || typeof b === 'symbol') toNumber(typeof a === 'symbol' ? a : b);
  const x = a as string;
  const y = b as string;
  return x < y ? true : x >= y ? false : undefined;
}

function unsignedShift(): never {
  return throwError('TypeError', 'BigInts have no unsigned right shift, use >> instead');
}

const BINARY: Readonly<Record<string, Binary>> = {
  '+': add,
  '-': (l, r) =>
    typeof l === 'number' && typeof r === 'number'
      ? l - r
      : numeric(
          l,
          r,
          (a, b) => a - b,
          (a, b) => a - b,
        ),
  '*': (l, r) =>
    typeof l === 'number' && typeof r === 'number'
      ? l * r
      : numeric(
          l,
          r,
          (a, b) => a * b,
          (a, b) => a * b,
        ),
  '/': (l, r) => (typeof l === 'number' && typeof r === 'number' ? l / r : numeric(l, r, (a, b) => a / b, divide)),
  '%': (l, r) => (typeof l === 'number' && typeof r === 'number' ? l % r : numeric(l, r, (a, b) => a % b, remainder)),
  '&': (l, r) =>
    typeof l === 'number' && typeof r === 'number'
      ? l & r
      : numeric(
          l,
          r,
          (a, b) => a & b,
          (a, b) => a & b,
        ),
  '|': (l, r) =>
    typeof l === 'number' && typeof r === 'number'
      ? l | r
      : numeric(
          l,
          r,
          (a, b) => a | b,
          (a, b) => a | b,
        ),
  '^': (l, r) =>
    typeof l === 'number' && typeof r === 'number'
      ? l ^ r
      : numeric(
          l,
          r,
          (a, b) => a ^ b,
          (a, b) => a ^ b,
        ),
  '<<': (l, r) => numeric(l, r, (a, b) => a << b, shift),
  '>>': (l, r) =>
    numeric(
      l,
      r,
      (a, b) => a >> b,
      (a, b) => a >> b,
    ),
  '>>>': (l, r) => numeric(l, r, (a, b) => a >>> b, unsignedShift),
  '<': (l, r) => less(l, r, true) === true,
  '>': (l, r) => less(r, l, false) === true,
  '<=': (l, r) => less(r, l, false) === false,
  '>=': (l, r) => less(l, r, true) === false,
  '===': (l, r) => l === r,
  '!==': (l, r) => l !== r,
  '==': looselyEqual,
  '!=': (l, r) => !looselyEqual(l, r),
  instanceof: isInstance,
  in: hasKey,
};

function hasKey(key: Value, object: Value): boolean {
  if (object instanceof Obj) return object.has(toKey(key));
  return throwError('TypeError', `Cannot use 'in' operator to search for a key in ${describe(object)}`);
}

/** The function of a binary operator. */
export function binaryOperator(operator: string): Binary {
  return BINARY[operator]!;
}

export function typeOf(value: Value): string {
  if (value === null) return 'object';
  if (value instanceof Obj) return 'call' in value ? 'function' : 'object';
  return typeof value;
}

const UNARY: Readonly<Record<string, (value: Value) => Value>> = {
  '-': (value) => {
    const number = toNumeric(value);
    return -number;
  },
  '+': toNumber,
  '!': (value) => !value,
  '~': (value) => {
    const number = toNumeric(value);
    return ~number;
  },
  typeof: typeOf,
  void: () => undefined,
};

/** The function of a unary operator, `delete` excepted. */
export function unaryOperator(operator: string): (value: Value) => Value {
  return UNARY[operator]!;
}
