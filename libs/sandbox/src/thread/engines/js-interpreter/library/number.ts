import { BoxObj, bigintText, describe, toInteger, toNumber, toNumeric, toPrimitive, toText } from '../convert.js';
import { type Native, protoFor } from '../evaluator/functions.js';
import { machine, throwError } from '../machine.js';
import { CONFIGURABLE, growthBytes, HIDDEN, Obj, type Value } from '../values.js';
import {
  defineClass,
  defineConstants,
  defineGetter,
  defineMethod,
  defineMethods,
  defineTag,
  type Methods,
} from './define.js';

type PrimitiveName = 'number' | 'boolean' | 'symbol' | 'bigint';

/** The primitive a method of its prototype is called on. */
function thisPrimitive<T>(self: Value, type: PrimitiveName): T {
  const value = self instanceof BoxObj ? self.primitive : self;
  return typeof value === type ? (value as T) : throwError('TypeError', `The receiver is no ${type}`);
}

/** `Number`, `Boolean`, `BigInt`, `Symbol` and their prototypes (ECMA-262 20.3, 20.4, 21.1, 21.2). */
export function installPrimitives(global: Obj): void {
  const protos = machine.intrinsics.primitiveProtos;
  const number = defineClass(global, 'Number', 1, protos.number, (_self, args, target) => {
    const value = args.length === 0 ? 0 : toNumeric(args[0]);
    return boxed(target, protos.number, Number(value));
  });
  defineConstants(number, CONSTANTS);
  defineMethods(number, NUMBER_STATIC);
  defineMethods(protos.number, NUMBER_PROTO);
  for (const name of ['parseInt', 'parseFloat']) {
    const native = defineMethod(
      global,
      name,
      name === 'parseInt' ? 2 : 1,
      name === 'parseInt' ? parseInteger : parseDecimal,
    );
    number.put(name, native, HIDDEN);
  }
  defineClass(global, 'Boolean', 1, protos.boolean, (_self, [value], target) => boxed(target, protos.boolean, !!value));
  defineMethods(protos.boolean, {
    'toString()': [0, (self) => String(thisPrimitive<boolean>(self, 'boolean'))],
    'valueOf()': [0, (self) => thisPrimitive<boolean>(self, 'boolean')],
  });
  installBigInt(global, protos.bigint);
  installSymbol(global, protos.symbol);
}

function boxed(target: Parameters<typeof protoFor>[0], proto: Obj, value: number | boolean): Value {
  return target ? new BoxObj(protoFor(target, proto), value) : value;
}

const CONSTANTS = {
  EPSILON: Number.EPSILON,
  MAX_SAFE_INTEGER: Number.MAX_SAFE_INTEGER,
  MAX_VALUE: Number.MAX_VALUE,
  MIN_SAFE_INTEGER: Number.MIN_SAFE_INTEGER,
  MIN_VALUE: Number.MIN_VALUE,
  NaN,
  NEGATIVE_INFINITY: -Infinity,
  POSITIVE_INFINITY: Infinity,
};

const NUMBER_STATIC: Methods = {
  isFinite: [1, (_self, [value]) => Number.isFinite(value)],
  isInteger: [1, (_self, [value]) => Number.isInteger(value)],
  isNaN: [1, (_self, [value]) => Number.isNaN(value)],
  isSafeInteger: [1, (_self, [value]) => Number.isSafeInteger(value)],
};

/** The digits argument of `toFixed` and its kin; the host's RangeError becomes the guest's. */
function digits(method: 'toFixed' | 'toExponential' | 'toPrecision', low: number): Native {
  return (self, [value]) => {
    const number = thisPrimitive<number>(self, 'number');
    const count = toInteger(value);
    if (value === undefined && method !== 'toFixed')
      return method === 'toPrecision' ? String(number) : number.toExponential();
    if (!Number.isFinite(number) && method !== 'toFixed') return String(number);
    if (count < low || count > 100)
      return throwError('RangeError', `${method}() argument must be between ${low} and 100`);
    return number[method](count);
  };
}

const NUMBER_PROTO: Methods = {
  toExponential: [1, digits('toExponential', 0)],
  toFixed: [1, digits('toFixed', 0)],
  toPrecision: [1, digits('toPrecision', 1)],
  'toLocaleString()': [0, (self) => String(thisPrimitive<number>(self, 'number'))],
  'toString()': [1, (self, [radix]) => thisPrimitive<number>(self, 'number').toString(radixOf(radix))],
  'valueOf()': [0, (self) => thisPrimitive<number>(self, 'number')],
};

function radixOf(value: Value): number {
  const radix = value === undefined ? 10 : toInteger(value);
  return radix >= 2 && radix <= 36 ? radix : throwError('RangeError', 'toString() radix must be between 2 and 36');
}

function parseInteger(_self: Value, [value, radix]: Value[]): Value {
  const text = toText(value);
  return Number.parseInt(text, toNumber(radix));
}

function parseDecimal(_self: Value, [value]: Value[]): Value {
  return Number.parseFloat(toText(value));
}

function installBigInt(global: Obj, proto: Obj): void {
  const constructor = defineClass(global, 'BigInt', 1, proto, (_self, [value], target) => {
    if (target) return throwError('TypeError', 'BigInt is not a constructor');
    return toBigInt(value);
  });
  defineMethods(constructor, {
    asIntN: [2, (_self, [bits, value]) => BigInt.asIntN(bitCount(bits), toBigInt(value))],
    asUintN: [2, (_self, [bits, value]) => BigInt.asUintN(bitCount(bits), toBigInt(value))],
  });
  defineMethods(proto, {
    'toLocaleString()': [0, (self) => bigintText(thisPrimitive<bigint>(self, 'bigint'))],
    'toString()': [0, (self, [radix]) => bigintText(thisPrimitive<bigint>(self, 'bigint'), radixOf(radix))],
    'valueOf()': [0, (self) => thisPrimitive<bigint>(self, 'bigint')],
  });
  defineTag(proto, 'BigInt');
}

function bitCount(value: Value): number {
  const bits = toInteger(value);
  return bits >= 0 && bits <= 1 << 18
    ? bits
    : throwError('RangeError', 'Invalid value: not (convertible to) a safe integer');
}

function toBigInt(value: Value): bigint {
  const primitive = toPrimitive(value, 'number');
  if (typeof primitive === 'bigint') return primitive;
  if (typeof primitive === 'number' && !Number.isInteger(primitive))
    return throwError(
      'RangeError',
      `The number ${primitive} cannot be converted to a BigInt because it is not an integer`,
    );
  if (primitive === undefined || primitive === null || typeof primitive === 'symbol')
    return throwError('TypeError', `Cannot convert ${describe(primitive)} to a BigInt`);
  if (typeof primitive === 'string' && primitive.length > 70_000)
    return throwError('RangeError', 'Maximum BigInt size exceeded');
  if (typeof primitive === 'string') {
    machine.spend((primitive.length * primitive.length) >> 12);
    machine.charge(24 + (primitive.length >> 1));
  }
  try {
    return BigInt(primitive);
  } catch {
    return throwError('SyntaxError', `Cannot convert ${describe(primitive)} to a BigInt`);
  }
}

/** Symbols made by `Symbol.for`, forgotten with the run: the host's own registry would outlive it. */
const registry = new Map<string, symbol>();

/** Shows the registered symbols, for the measurement of memory. */
export function seeSymbols(see: (value: Value) => void): void {
  for (const [key, symbol] of registry) {
    see(key);
    see(symbol);
  }
}

/** Forgets the symbols of a run. */
export function clearSymbols(): void {
  registry.clear();
}

const WELL_KNOWN = [
  'asyncIterator',
  'hasInstance',
  'isConcatSpreadable',
  'iterator',
  'match',
  'matchAll',
  'replace',
  'search',
  'species',
  'split',
  'toPrimitive',
  'toStringTag',
  'unscopables',
] as const;

function installSymbol(global: Obj, proto: Obj): void {
  const constructor = defineClass(global, 'Symbol', 0, proto, (_self, [description], target) => {
    if (target) return throwError('TypeError', 'Symbol is not a constructor');
    return newSymbol(description === undefined ? undefined : toText(description));
  });
  defineConstants(constructor, Object.fromEntries(WELL_KNOWN.map((name) => [name, Symbol[name]])));
  defineMethods(constructor, {
    for: [1, (_self, [key]) => registered(toText(key))],
    keyFor: [1, (_self, [symbol]) => keyFor(symbol)],
  });
  defineMethods(proto, {
    'toString()': [0, (self) => thisPrimitive<symbol>(self, 'symbol').toString()],
    'valueOf()': [0, (self) => thisPrimitive<symbol>(self, 'symbol')],
  });
  defineGetter(proto, 'description', (self) => thisPrimitive<symbol>(self, 'symbol').description);
  const toPrimitiveMethod = defineMethod(proto, Symbol.toPrimitive, 1, (self) => thisPrimitive<symbol>(self, 'symbol'));
  proto.put(Symbol.toPrimitive, toPrimitiveMethod, CONFIGURABLE);
  defineTag(proto, 'Symbol');
}

function newSymbol(description: string | undefined): symbol {
  machine.charge(64 + (description?.length ?? 0) * 2);
  return Symbol(description);
}

function registered(key: string): symbol {
  const known = registry.get(key);
  if (known) return known;
  machine.charge(64 + growthBytes(registry.size));
  const symbol = newSymbol(key);
  registry.set(key, symbol);
  return symbol;
}

function keyFor(symbol: Value): string | undefined {
  if (typeof symbol !== 'symbol') return throwError('TypeError', `${describe(symbol)} is not a symbol`);
  for (const [key, known] of registry) if (known === symbol) return key;
  return undefined;
}
