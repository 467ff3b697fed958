import { type Native, NativeFn } from '../evaluator/functions.js';
import { machine } from '../machine.js';
import { ACCESSOR, CONFIGURABLE, HIDDEN, type Key, Obj, Prop, type Value, WRITABLE } from '../values.js';

/** A method: how many parameters `length` tells, and the host function. */
export type Methods = Readonly<Record<string, readonly [length: number, native: Native]>>;

/** A native function of the name. */
export function nativeFunction(name: string, length: number, native: Native): NativeFn {
  return new NativeFn(name, length, native, false);
}

export function defineMethod(target: Obj, key: Key, length: number, native: Native): NativeFn {
  const name = typeof key === 'symbol' ? `[${key.description}]` : key;
  const method = nativeFunction(name, length, native);
  target.put(key, method, HIDDEN);
  return method;
}

/** Defines methods by name. Those that every host object has too are written `'toString()'`, for the type checker's sake. */
export function defineMethods(target: Obj, methods: Methods): void {
  for (const [name, method] of Object.entries(methods)) defineMethod(target, name.replace('()', ''), ...method);
}

export function defineGetter(target: Obj, key: Key, native: Native): void {
  const name = typeof key === 'symbol' ? `[${key.description}]` : key;
  target.store(key, new Prop(undefined, ACCESSOR | CONFIGURABLE, nativeFunction(`get ${name}`, 0, native)));
}

/** Constants that cannot be changed (`Math.PI`). */
export function defineConstants(target: Obj, constants: Readonly<Record<string, Value>>): void {
  for (const [name, value] of Object.entries(constants)) target.put(name, value, 0);
}

export function defineTag(target: Obj, tag: string): void {
  target.put(Symbol.toStringTag, tag, CONFIGURABLE);
}

/** A constructor with its prototype, as a global. */
export function defineClass(global: Obj, name: string, length: number, proto: Obj, native: Native): NativeFn {
  const constructor = new NativeFn(name, length, native, true);
  constructor.put('prototype', proto, 0);
  proto.put('constructor', constructor, WRITABLE | CONFIGURABLE);
  global.put(name, constructor, HIDDEN);
  return constructor;
}

/** A plain object of the realm, with methods: `Math`, `JSON`, `Reflect`. */
export function defineNamespace(global: Obj, name: string, methods: Methods): Obj {
  const namespace = new Obj(machine.intrinsics.objectProto);
  defineMethods(namespace, methods);
  defineTag(namespace, name);
  global.put(name, namespace, HIDDEN);
  return namespace;
}

/** `constructor[Symbol.species]`. */
export function defineSpecies(constructor: Obj): void {
  defineGetter(constructor, Symbol.species, (self) => self);
}
