import { ArrayObj } from './arrays.js';
import { isCallable, machine, throwError } from './machine.js';
import { arrayIndex, ENUMERABLE, FnObj, type Key, Obj, Prop, setHooks, type Value } from './values.js';

/** A primitive as an object (`new String('a')`). */
export class BoxObj extends Obj {
  constructor(
    proto: Obj,
    public primitive: string | number | boolean | bigint | symbol,
  ) {
    super(proto);
  }
  override get className(): string {
    const name = typeof this.primitive;
    return name === 'symbol' || name === 'bigint' ? 'Object' : name[0]!.toUpperCase() + name.slice(1);
  }
  override visit(see: (value: Value) => void): number {
    see(this.primitive);
    return super.visit(see);
  }
  /** A boxed text has its characters and its length as properties of its own (ECMA-262 10.4.3). */
  override getOwn(key: Key): Prop | undefined {
    if (typeof this.primitive !== 'string') return this.props.get(key);
    if (key === 'length') return new Prop(this.primitive.length, 0);
    const index = arrayIndex(key);
    if (index < 0 || index >= this.primitive.length) return this.props.get(key);
    return new Prop(this.primitive[index], ENUMERABLE);
  }
  override keys(): Key[] {
    if (typeof this.primitive !== 'string') return super.keys();
    machine.spend(this.primitive.length);
    machine.charge(this.primitive.length * 16);
    return [...Array.from({ length: this.primitive.length }, (_, index) => String(index)), ...super.keys(), 'length'];
  }
}

export function toBoolean(value: Value): boolean {
  return !!value;
}

/** ToPrimitive (ECMA-262 7.1.1). */
export function toPrimitive(value: Value, hint: 'default' | 'number' | 'string' = 'default'): Exclude<Value, Obj> {
  if (!(value instanceof Obj)) return value;
  const exotic = value.get(Symbol.toPrimitive);
  if (exotic !== undefined && exotic !== null) {
    const result = call(exotic, value, [hint]);
    if (!(result instanceof Obj)) return result;
    return throwError('TypeError', 'Cannot convert object to primitive value');
  }
  for (const name of hint === 'string' ? ['toString', 'valueOf'] : ['valueOf', 'toString']) {
    const method = value.get(name);
    if (!isCallable(method)) continue;
    const result = method.call(value, []);
    if (!(result instanceof Obj)) return result;
  }
  return throwError('TypeError', 'Cannot convert object to primitive value');
}

export function toNumber(value: Value): number {
  if (typeof value === 'number') return value;
  const primitive = toPrimitive(value, 'number');
  if (typeof primitive === 'symbol') return throwError('TypeError', 'Cannot convert a Symbol value to a number');
  if (typeof primitive === 'bigint') return throwError('TypeError', 'Cannot convert a BigInt value to a number');
  return Number(primitive);
}

export function toNumeric(value: Value): number | bigint {
  const primitive = toPrimitive(value, 'number');
  return typeof primitive === 'bigint' ? primitive : toNumber(primitive);
}

export function toText(value: Value): string {
  if (typeof value === 'string') return value;
  const primitive = toPrimitive(value, 'string');
  if (typeof primitive === 'symbol') return throwError('TypeError', 'Cannot convert a Symbol value to a string');
  if (typeof primitive === 'bigint') return bigintText(primitive);
  return String(primitive);
}

/** Writing a big integer takes time in the square of its length. */
export function bigintText(value: bigint, radix = 10): string {
  machine.spend(bigintBits(value) >> 6);
  return value.toString(radix);
}

/** Upper bound of the bits of a big integer, cheaply: V8 has no such function. */
export function bigintBits(value: bigint): number {
  if (value > -(1n << 64n) && value < 1n << 64n) return 64;
  let bits = 64;
  const magnitude = value < 0n ? -value : value;
  while (magnitude >> BigInt(bits)) bits *= 2;
  return bits;
}

export function toKey(value: Value): Key {
  if (typeof value === 'string' || typeof value === 'symbol') return value;
  if (typeof value === 'number') return String(value);
  const primitive = toPrimitive(value, 'string');
  return typeof primitive === 'symbol' ? primitive : toText(primitive);
}

export function toObject(value: Value): Obj {
  if (value instanceof Obj) return value;
  if (value === undefined || value === null)
    return throwError('TypeError', `Cannot convert ${value === null ? 'null' : 'undefined'} to object`);
  return new BoxObj(protoOf(value), value);
}

/** The object whose properties a value that is not `null` or `undefined` has. */
export function protoOf(value: Exclude<Value, undefined | null>): Obj {
  const type = typeof value as 'string' | 'number' | 'boolean' | 'symbol' | 'bigint' | 'object';
  return type === 'object' ? (value as Obj) : machine.intrinsics.primitiveProtos[type];
}

/** ToIntegerOrInfinity. */
export function toInteger(value: Value): number {
  const number = toNumber(value);
  return Number.isNaN(number) ? 0 : Math.trunc(number) + 0;
}

/** ToLength. */
export function toLength(value: Value): number {
  return Math.min(Math.max(toInteger(value), 0), Number.MAX_SAFE_INTEGER);
}

/** An index given relative to the end where negative, inside [0, length]. */
export function toRelative(value: Value, length: number, otherwise: number): number {
  if (value === undefined) return otherwise;
  const index = toInteger(value);
  return index < 0 ? Math.max(length + index, 0) : Math.min(index, length);
}

export function lengthOf(object: Obj): number {
  return object instanceof ArrayObj && !object.exotic ? object.length : toLength(object.get('length'));
}

/** `value[key]`. */
export function getMember(value: Value, key: Key): Value {
  if (value instanceof Obj) return value.get(key);
  if (typeof value === 'string') {
    if (key === 'length') return value.length;
    const index = typeof key === 'string' ? Number(key) : NaN;
    if (index >= 0 && index < value.length && String(index) === key) return value[index];
  }
  if (value === undefined || value === null)
    return throwError('TypeError', `Cannot read properties of ${String(value)} (reading '${String(key)}')`);
  return protoOf(value).get(key, value);
}

/** Calls a value. @throws a TypeError of the guest's where it is no function. */
export function call(callee: Value, self: Value, args: Value[]): Value {
  if (callee instanceof FnObj) return callee.call(self, args);
  return throwError('TypeError', `${describe(callee)} is not a function`);
}

/** Calls a method by name. */
export function invoke(value: Value, key: Key, args: Value[]): Value {
  const method = getMember(value, key);
  if (method instanceof FnObj) return method.call(value, args);
  return throwError('TypeError', `${describe(value)}.${String(key)} is not a function`);
}

/** GetMethod: `undefined` where there is none. */
export function getMethod(value: Value, key: Key): FnObj | undefined {
  const method = getMember(value, key);
  if (method === undefined || method === null) return undefined;
  if (method instanceof FnObj) return method;
  return throwError('TypeError', `${String(key)} is not a function`);
}

export function construct(callee: Value, args: Value[], target?: FnObj): Obj {
  if (callee instanceof FnObj && callee.construct) return callee.construct(args, target ?? callee);
  return throwError('TypeError', `${describe(callee)} is not a constructor`);
}

/** A value as it stands in a message: short, without asking the guest. */
export function describe(value: Value): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
  if (value instanceof FnObj) return 'function';
  if (value instanceof Obj) return value instanceof ArrayObj ? '[object Array]' : '#<Object>';
  return String(value);
}

export function looselyEqual(a: Value, b: Value): boolean {
  const left = a === undefined ? null : a;
  const right = b === undefined ? null : b;
  if (left === null || right === null) return left === right;
  if (left instanceof Obj && right instanceof Obj) return left === right;
  if (left instanceof Obj) return typeof right !== 'object' && primitivesEqual(toPrimitive(left), right);
  if (right instanceof Obj) return primitivesEqual(left, toPrimitive(right));
  return primitivesEqual(left, right);
}

function primitivesEqual(a: Exclude<Value, Obj>, b: Exclude<Value, Obj>): boolean {
  // The host's own rules; neither side is an object, so nothing of the guest's runs.
  // eslint-disable-next-line eqeqeq
  return a == b;
}

/** InstanceofOperator. */
export function isInstance(value: Value, target: Value): boolean {
  if (!(target instanceof Obj)) return throwError('TypeError', "Right-hand side of 'instanceof' is not an object");
  const method = getMethod(target, Symbol.hasInstance);
  if (method) return toBoolean(method.call(target, [value]));
  if (!(target instanceof FnObj)) return throwError('TypeError', "Right-hand side of 'instanceof' is not callable");
  return ordinaryHasInstance(target, value);
}

export function ordinaryHasInstance(target: Value, value: Value): boolean {
  if (!(target instanceof FnObj)) return false;
  const { boundTarget } = target as { boundTarget?: FnObj };
  if (boundTarget) return isInstance(value, boundTarget);
  if (!(value instanceof Obj)) return false;
  const proto = target.get('prototype');
  if (!(proto instanceof Obj)) return throwError('TypeError', 'Function has non-object prototype in instanceof check');
  for (let object = value.getPrototype(); object; object = object.getPrototype()) if (object === proto) return true;
  return false;
}

setHooks({
  thaw: (object) => machine.thawObject(object),
  charge: (bytes) => machine.charge(bytes),
  tick: () => machine.tick(),
  toNumber,
  throwError,
});
