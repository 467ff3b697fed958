import { ArrayObj } from '../arrays.js';
import { getMember, invoke, protoOf, toBoolean, toKey, toObject } from '../convert.js';
import { protoFor } from '../evaluator/functions.js';
import { isCallable, machine, newArray, newObject, throwError } from '../machine.js';
import {
  ACCESSOR,
  CONFIGURABLE,
  type Definition,
  ENUMERABLE,
  FnObj,
  type Key,
  Obj,
  type Prop,
  type Value,
  WRITABLE,
} from '../values.js';
import { defineClass, defineMethods, type Methods, nativeFunction } from './define.js';
import { iterate } from './iterate.js';

/** `Object` and `Object.prototype` (ECMA-262 20.1). */
export function installObject(global: Obj): void {
  const { objectProto } = machine.intrinsics;
  const constructor = defineClass(global, 'Object', 1, objectProto, (_self, [value], target) => {
    if (target && target !== constructor) return new Obj(protoFor(target, objectProto));
    return value === undefined || value === null ? newObject() : toObject(value);
  });
  defineMethods(constructor, STATIC);
  defineMethods(objectProto, PROTO);
  objectProto.define('__proto__', {
    get: accessor((self) => (self === undefined || self === null ? undefined : toObject(self).getPrototype())),
    set: accessor((self, [proto]) => setLegacyProto(self, proto)),
    configurable: true,
  });
}

function accessor(native: (self: Value, args: Value[]) => Value): FnObj {
  return nativeFunction('__proto__', 0, native);
}

function setLegacyProto(self: Value, proto: Value): Value {
  if (!(self instanceof Obj) || !(proto instanceof Obj || proto === null)) return undefined;
  if (!self.setPrototype(proto)) throwError('TypeError', 'Cannot set the prototype of this object');
  return undefined;
}

/** What a definition object says (ToPropertyDescriptor). */
export function toDefinition(value: Value): Definition {
  if (!(value instanceof Obj)) return throwError('TypeError', 'Property description must be an object');
  const definition: Definition = {};
  for (const flag of ['enumerable', 'configurable', 'writable'] as const)
    if (value.has(flag)) definition[flag] = toBoolean(value.get(flag));
  if (value.has('value')) definition.value = value.get('value');
  for (const kind of ['get', 'set'] as const) {
    if (!value.has(kind)) continue;
    const method = value.get(kind);
    if (method !== undefined && !isCallable(method))
      return throwError('TypeError', `${kind === 'get' ? 'Getter' : 'Setter'} must be a function`);
    definition[kind] = method;
  }
  if (('get' in definition || 'set' in definition) && ('value' in definition || 'writable' in definition))
    return throwError(
      'TypeError',
      'Invalid property descriptor. Cannot both specify accessors and a value or writable attribute',
    );
  return definition;
}

/** FromPropertyDescriptor. */
export function fromProp(prop: Prop | undefined): Value {
  if (!prop) return undefined;
  const object = newObject();
  if (prop.flags & ACCESSOR) {
    object.put('get', prop.get);
    object.put('set', prop.set);
  } else {
    object.put('value', prop.value);
    object.put('writable', !!(prop.flags & WRITABLE));
  }
  object.put('enumerable', !!(prop.flags & ENUMERABLE));
  object.put('configurable', !!(prop.flags & CONFIGURABLE));
  return object;
}

/** Defines a property, or throws. */
export function defineOrThrow(object: Obj, key: Key, definition: Definition): void {
  if (!object.define(key, definition)) throwError('TypeError', `Cannot redefine property: ${String(key)}`);
}

/** Assigns a property, or throws. */
export function setOrThrow(object: Obj, key: Key, value: Value): void {
  if (!object.set(key, value))
    throwError('TypeError', `Cannot assign to read only property '${String(key)}' of object`);
}

function requireObject(value: Value, what: string): Obj {
  return value instanceof Obj ? value : throwError('TypeError', `${what} called on non-object`);
}

/** Own enumerable string keys with their values, in order; each costs a tick. */
export function ownEntries(object: Obj): [string, Value][] {
  const entries: [string, Value][] = [];
  for (const key of object.keys()) {
    machine.tick();
    if (typeof key === 'symbol') continue;
    const prop = object.getOwn(key);
    if (prop && prop.flags & ENUMERABLE) entries.push([key, prop.flags & ACCESSOR ? object.get(key) : prop.value]);
  }
  return entries;
}

/** Copies own enumerable properties, symbols included, but those named. */
export function copyOwn(from: Value, to: Obj, except: ReadonlySet<Key> | undefined, assign: boolean): void {
  if (from === undefined || from === null) return;
  const source = toObject(from);
  for (const key of source.keys()) {
    machine.tick();
    if (except?.has(key) || !((source.getOwn(key)?.flags ?? 0) & ENUMERABLE)) continue;
    const value = source.get(key);
    if (assign) setOrThrow(to, key, value);
    else to.define(key, { value, writable: true, enumerable: true, configurable: true });
  }
}

function setIntegrity(value: Value, frozen: boolean): Value {
  if (!(value instanceof Obj)) return value;
  if (!value.preventExtensions()) throwError('TypeError', 'Cannot prevent extensions');
  for (const key of value.keys()) {
    machine.tick();
    const prop = value.getOwn(key);
    if (!prop) continue;
    const definition: Definition = { configurable: false };
    if (frozen && !(prop.flags & ACCESSOR)) definition.writable = false;
    defineOrThrow(value, key, definition);
  }
  return value;
}

function hasIntegrity(value: Value, frozen: boolean): boolean {
  if (!(value instanceof Obj)) return true;
  if (value.isExtensible()) return false;
  return value.keys().every((key) => {
    const flags = value.getOwn(key)?.flags ?? 0;
    return !(flags & CONFIGURABLE) && !(frozen && !(flags & ACCESSOR) && flags & WRITABLE);
  });
}

function defineAll(object: Obj, properties: Value): Obj {
  const source = toObject(properties);
  const definitions = source
    .keys()
    .filter((key) => (source.getOwn(key)?.flags ?? 0) & ENUMERABLE)
    .map((key) => [key, toDefinition(source.get(key))] as const);
  for (const [key, definition] of definitions) defineOrThrow(object, key, definition);
  return object;
}

/** Groups of `Object.groupBy` and `Map.groupBy`. */
export function groupBy(items: Value, callback: Value): Map<Value, Value[]> {
  if (!isCallable(callback)) return throwError('TypeError', 'callback is not a function');
  const groups = new Map<Value, Value[]>();
  let index = 0;
  iterate(items, (item) => {
    const key = callback.call(undefined, [item, index++]);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  });
  return groups;
}

const STATIC: Methods = {
  assign: [
    2,
    (_self, [target, ...sources]) => {
      const object = toObject(target);
      for (const source of sources) copyOwn(source, object, undefined, true);
      return object;
    },
  ],
  create: [
    2,
    (_self, [proto, properties]) => {
      if (!(proto instanceof Obj) && proto !== null)
        return throwError('TypeError', 'Object prototype may only be an Object or null');
      const object = new Obj(proto);
      return properties === undefined ? object : defineAll(object, properties);
    },
  ],
  defineProperty: [
    3,
    (_self, [object, key, definition]) => {
      const target = requireObject(object, 'Object.defineProperty');
      defineOrThrow(target, toKey(key), toDefinition(definition));
      return target;
    },
  ],
  defineProperties: [
    2,
    (_self, [object, properties]) => defineAll(requireObject(object, 'Object.defineProperties'), properties),
  ],
  entries: [1, (_self, [value]) => newArray(ownEntries(toObject(value)).map((entry) => newArray(entry)))],
  keys: [1, (_self, [value]) => newArray(enumerableKeys(value))],
  values: [1, (_self, [value]) => newArray(ownEntries(toObject(value)).map(([, each]) => each))],
  freeze: [1, (_self, [value]) => setIntegrity(value, true)],
  seal: [1, (_self, [value]) => setIntegrity(value, false)],
  preventExtensions: [
    1,
    (_self, [value]) => {
      if (value instanceof Obj && !value.preventExtensions()) throwError('TypeError', 'Cannot prevent extensions');
      return value;
    },
  ],
  isFrozen: [1, (_self, [value]) => hasIntegrity(value, true)],
  isSealed: [1, (_self, [value]) => hasIntegrity(value, false)],
  isExtensible: [1, (_self, [value]) => value instanceof Obj && value.isExtensible()],
  fromEntries: [
    1,
    (_self, [entries]) => {
      const object = newObject();
      iterate(entries, (entry) => {
        if (!(entry instanceof Obj)) throwError('TypeError', 'Iterator value is not an entry object');
        object.define(toKey(getMember(entry, '0')), {
          value: getMember(entry, '1'),
          writable: true,
          enumerable: true,
          configurable: true,
        });
      });
      return object;
    },
  ],
  getOwnPropertyDescriptor: [2, (_self, [value, key]) => fromProp(toObject(value).getOwn(toKey(key)))],
  getOwnPropertyDescriptors: [
    1,
    (_self, [value]) => {
      const object = toObject(value);
      const result = newObject();
      for (const key of object.keys()) result.put(key, fromProp(object.getOwn(key)));
      return result;
    },
  ],
  getOwnPropertyNames: [
    1,
    (_self, [value]) =>
      newArray(
        toObject(value)
          .keys()
          .filter((key) => typeof key === 'string'),
      ),
  ],
  getOwnPropertySymbols: [
    1,
    (_self, [value]) =>
      newArray(
        toObject(value)
          .keys()
          .filter((key) => typeof key === 'symbol'),
      ),
  ],
  getPrototypeOf: [
    1,
    (_self, [value]) => toObject(value) && (value instanceof Obj ? value.getPrototype() : protoOf(value as string)),
  ],
  setPrototypeOf: [
    2,
    (_self, [value, proto]) => {
      if (value === undefined || value === null) toObject(value);
      if (!(proto instanceof Obj) && proto !== null)
        return throwError('TypeError', 'Object prototype may only be an Object or null');
      if (value instanceof Obj && !value.setPrototype(proto))
        throwError('TypeError', 'Cannot set the prototype of this object');
      return value;
    },
  ],
  is: [2, (_self, [a, b]) => Object.is(a, b)],
  hasOwn: [2, (_self, [value, key]) => toObject(value).getOwn(toKey(key)) !== undefined],
  groupBy: [
    2,
    (_self, [items, callback]) => {
      const result = new Obj(null);
      const groups = new Map<Key, Value[]>();
      for (const [key, group] of groupBy(items, callback))
        groups.set(toKey(key), [...(groups.get(toKey(key)) ?? []), ...group]);
      for (const [key, group] of groups) result.put(key, newArray(group));
      return result;
    },
  ],
};

/** Own enumerable names. */
export function enumerableKeys(value: Value): string[] {
  const object = toObject(value);
  return object.keys().filter((key): key is string => {
    machine.tick();
    return typeof key === 'string' && ((object.getOwn(key)?.flags ?? 0) & ENUMERABLE) !== 0;
  });
}

/** `[object Kind]`. */
export function objectTag(self: Value): string {
  if (self === undefined) return '[object Undefined]';
  if (self === null) return '[object Null]';
  const object = toObject(self);
  const tag = object.get(Symbol.toStringTag);
  return `[object ${typeof tag === 'string' ? tag : object.className}]`;
}

const PROTO: Methods = {
  'hasOwnProperty()': [
    1,
    (self, [key]) => {
      const name = toKey(key);
      return toObject(self).getOwn(name) !== undefined;
    },
  ],
  'isPrototypeOf()': [
    1,
    (self, [value]) => {
      if (!(value instanceof Obj)) return false;
      const proto = toObject(self);
      for (let object = value.getPrototype(); object; object = object.getPrototype()) if (object === proto) return true;
      return false;
    },
  ],
  'propertyIsEnumerable()': [1, (self, [key]) => ((toObject(self).getOwn(toKey(key))?.flags ?? 0) & ENUMERABLE) !== 0],
  'toLocaleString()': [0, (self) => invoke(self, 'toString', [])],
  'toString()': [0, (self) => objectTag(self)],
  'valueOf()': [0, (self) => toObject(self)],
  __lookupGetter__: [1, (self, [key]) => lookupAccessor(self, toKey(key))?.get],
  __lookupSetter__: [1, (self, [key]) => lookupAccessor(self, toKey(key))?.set],
  __defineGetter__: [2, (self, [key, get]) => legacyAccessor(self, key, { get: get as FnObj })],
  __defineSetter__: [2, (self, [key, set]) => legacyAccessor(self, key, { set: set as FnObj })],
};

function lookupAccessor(self: Value, key: Key): Prop | undefined {
  for (let object: Obj | null = toObject(self); object; object = object.getPrototype()) {
    const prop = object.getOwn(key);
    if (prop) return prop;
  }
  return undefined;
}

function legacyAccessor(self: Value, key: Value, definition: Definition): Value {
  if (!isCallable(definition.get ?? definition.set)) return throwError('TypeError', 'The accessor must be a function');
  defineOrThrow(toObject(self), toKey(key), { ...definition, enumerable: true, configurable: true });
  return undefined;
}

/** Whether a value is an array. */
export function isArray(value: Value): value is ArrayObj {
  const target = (value as { proxyTarget?: Value } | undefined | null)?.proxyTarget;
  if (target !== undefined) return isArray(target);
  return value instanceof ArrayObj && value.className === 'Array';
}
