import { call, describe, getMember } from '../convert.js';
import { protoFor, requireNew } from '../evaluator/functions.js';
import { isCallable, machine, newArray, throwError } from '../machine.js';
import { FnObj, growthBytes, HIDDEN, Obj, type Value } from '../values.js';
import { defineClass, defineGetter, defineMethod, defineMethods, defineSpecies, defineTag } from './define.js';
import { iterate } from './iterate.js';
import { makeIterator } from './iterators.js';
import { groupBy } from './object.js';

/** The host's Map keeps the guest's values: SameValueZero and insertion order are the same. */
export class MapObj extends Obj {
  readonly entries = new Map<Value, Value>();
  override get className(): string {
    return 'Map';
  }
  override visit(see: (value: Value) => void): number {
    for (const [name, value] of this.entries) {
      see(name);
      see(value);
    }
    return super.visit(see) + this.entries.size * ENTRY_BYTES;
  }
}

export class SetObj extends Obj {
  readonly items = new Set<Value>();
  override get className(): string {
    return 'Set';
  }
  override visit(see: (value: Value) => void): number {
    for (const item of this.items) see(item);
    return super.visit(see) + this.items.size * ENTRY_BYTES;
  }
}

/** A weak map or set: its values are kept by the objects that are its keys. */
export class WeakObj extends Obj {
  hasKey(object: Value): boolean {
    return object instanceof Obj && (object.weak?.has(this) ?? false);
  }
  valueFor(object: Value): Value {
    return object instanceof Obj ? object.weak?.get(this) : undefined;
  }
  keep(object: Obj, value: Value): void {
    machine.charge(ENTRY_BYTES);
    if (object.pristine) machine.thawObject(object);
    (object.weak ??= new Map()).set(this, value);
  }
  drop(object: Value): boolean {
    return object instanceof Obj && (object.weak?.delete(this) ?? false);
  }
}

const ENTRY_BYTES = 64;

function mapOf(self: Value, method: string): Map<Value, Value> {
  if (self instanceof MapObj) return self.entries;
  return throwError('TypeError', `Method Map.prototype.${method} called on incompatible receiver ${describe(self)}`);
}

function setOf(self: Value, method: string): Set<Value> {
  if (self instanceof SetObj) return self.items;
  return throwError('TypeError', `Method Set.prototype.${method} called on incompatible receiver ${describe(self)}`);
}

/** `Map`, `Set`, `WeakMap` and `WeakSet` (ECMA-262 24). */
export function installCollections(global: Obj): void {
  installMap(global);
  installSet(global);
  installWeak(global);
}

/** Fills a new collection through its own `set` or `add`, as a subclass may have replaced it. */
function fill<T extends Obj>(target: T, source: Value, method: string, pairs: boolean): T {
  if (source === undefined || source === null) return target;
  const adder = target.get(method);
  if (!isCallable(adder)) return throwError('TypeError', `'${method}' is not a function`);
  iterate(source, (item) => {
    if (!pairs) return void adder.call(target, [item]);
    if (!(item instanceof Obj))
      return throwError('TypeError', `Iterator value ${describe(item)} is not an entry object`);
    adder.call(target, [getMember(item, '0'), getMember(item, '1')]);
  });
  return target;
}

function hostIterator<T>(kind: string, over: Value, iterator: Iterator<T>, show: (item: T) => Value): Obj {
  return makeIterator(kind, over, () => {
    const { value, done } = iterator.next();
    return done ? undefined : { value: show(value) };
  });
}

function callbackOf(value: Value): FnObj {
  return isCallable(value) ? value : throwError('TypeError', `${describe(value)} is not a function`);
}

function clear(entries: Map<Value, Value> | Set<Value>): undefined {
  entries.clear();
}

/** -0 is kept as 0. */
function key(value: Value): Value {
  return value === 0 ? 0 : value;
}

function installMap(global: Obj): void {
  const proto = new Obj(machine.intrinsics.objectProto);
  const constructor = defineClass(global, 'Map', 0, proto, (_self, [source], target) =>
    fill(new MapObj(protoFor(requireNew(target, 'Map'), proto)), source, 'set', true),
  );
  defineSpecies(constructor);
  defineMethods(constructor, {
    groupBy: [
      2,
      (_self, [items, callback]) => {
        const map = new MapObj(proto);
        for (const [name, group] of groupBy(items, callback)) map.entries.set(key(name), newArray(group));
        return map;
      },
    ],
  });
  defineMethods(proto, {
    clear: [0, (self) => clear(mapOf(self, 'clear'))],
    delete: [1, (self, [name]) => mapOf(self, 'delete').delete(name)],
    entries: [
      0,
      (self) => hostIterator('Map Iterator', self, mapOf(self, 'entries').entries(), (pair) => newArray([...pair])),
    ],
    forEach: [
      1,
      (self, [callback, receiver]) => {
        const visitor = callbackOf(callback);
        for (const [name, value] of mapOf(self, 'forEach')) visitor.call(receiver, [value, name, self]);
        return undefined;
      },
    ],
    get: [1, (self, [name]) => mapOf(self, 'get').get(name)],
    has: [1, (self, [name]) => mapOf(self, 'has').has(name)],
    keys: [0, (self) => hostIterator('Map Iterator', self, mapOf(self, 'keys').keys(), (name) => name)],
    set: [
      2,
      (self, [name, value]) => {
        const entries = mapOf(self, 'set');
        machine.charge(ENTRY_BYTES + growthBytes(entries.size));
        entries.set(key(name), value);
        return self;
      },
    ],
    values: [0, (self) => hostIterator('Map Iterator', self, mapOf(self, 'values').values(), (value) => value)],
  });
  defineGetter(proto, 'size', (self) => mapOf(self, 'size').size);
  proto.put(Symbol.iterator, proto.get('entries'), HIDDEN);
  defineTag(proto, 'Map');
}

/** A set, or whatever has `size`, `has` and `keys` (the argument of `union` and its kin). */
interface SetLike {
  readonly size: number;
  has(value: Value): boolean;
  each(visit: (value: Value) => boolean | void): void;
}

function setLike(value: Value): SetLike {
  if (!(value instanceof Obj)) return throwError('TypeError', 'The argument must be an object with size, has and keys');
  const size = Number(value.get('size'));
  const has = value.get('has');
  const keys = value.get('keys');
  if (Number.isNaN(size) || !isCallable(has) || !isCallable(keys))
    return throwError('TypeError', 'The argument must have size, has and keys');
  return {
    size,
    has: (item) => !!has.call(value, [item]),
    each: (visit) => {
      const iterator = keys.call(value, []);
      const next = getMember(iterator, 'next');
      for (;;) {
        machine.tick();
        const result = call(next, iterator, []);
        if (getMember(result, 'done') || visit(getMember(result, 'value')) === false) return;
      }
    },
  };
}

type Combine = (mine: Set<Value>, other: SetLike) => Iterable<Value>;

const COMBINED: Readonly<Record<string, Combine>> = {
  difference: (mine, other) => [...mine].filter((item) => !other.has(item)),
  intersection: (mine, other) => [...mine].filter((item) => other.has(item)),
  symmetricDifference: (mine, other) => {
    const result = new Set(mine);
    other.each((item) => {
      if (mine.has(item)) result.delete(item);
      else result.add(key(item));
    });
    return result;
  },
  union: (mine, other) => {
    const result = new Set(mine);
    other.each((item) => void result.add(key(item)));
    return result;
  },
};

const COMPARED: Readonly<Record<string, (mine: Set<Value>, other: SetLike) => boolean>> = {
  isDisjointFrom: (mine, other) => ![...mine].some((item) => other.has(item)),
  isSubsetOf: (mine, other) => mine.size <= other.size && [...mine].every((item) => other.has(item)),
  isSupersetOf: (mine, other) => {
    let all = mine.size >= other.size;
    if (all) other.each((item) => (all = mine.has(item)));
    return all;
  },
};

function installSet(global: Obj): void {
  const proto = new Obj(machine.intrinsics.objectProto);
  const make = (items: Iterable<Value>): SetObj => {
    const set = new SetObj(proto);
    for (const item of items) {
      machine.charge(ENTRY_BYTES);
      set.items.add(item);
    }
    return set;
  };
  const constructor = defineClass(global, 'Set', 0, proto, (_self, [source], target) =>
    fill(new SetObj(protoFor(requireNew(target, 'Set'), proto)), source, 'add', false),
  );
  defineSpecies(constructor);
  defineMethods(proto, {
    add: [
      1,
      (self, [item]) => {
        const items = setOf(self, 'add');
        machine.charge(ENTRY_BYTES + growthBytes(items.size));
        items.add(key(item));
        return self;
      },
    ],
    clear: [0, (self) => clear(setOf(self, 'clear'))],
    delete: [1, (self, [item]) => setOf(self, 'delete').delete(item)],
    entries: [
      0,
      (self) => hostIterator('Set Iterator', self, setOf(self, 'entries').values(), (item) => newArray([item, item])),
    ],
    forEach: [
      1,
      (self, [callback, receiver]) => {
        const visitor = callbackOf(callback);
        for (const item of setOf(self, 'forEach')) visitor.call(receiver, [item, item, self]);
        return undefined;
      },
    ],
    has: [1, (self, [item]) => setOf(self, 'has').has(item)],
    values: [0, (self) => hostIterator('Set Iterator', self, setOf(self, 'values').values(), (item) => item)],
  });
  for (const [name, combine] of Object.entries(COMBINED))
    defineMethod(proto, name, 1, (self, [other]) => make(combine(setOf(self, name), setLike(other))));
  for (const [name, compare] of Object.entries(COMPARED))
    defineMethod(proto, name, 1, (self, [other]) => compare(setOf(self, name), setLike(other)));
  defineGetter(proto, 'size', (self) => setOf(self, 'size').size);
  for (const name of ['keys', Symbol.iterator]) proto.put(name, proto.get('values'), HIDDEN);
  defineTag(proto, 'Set');
}

function installWeak(global: Obj): void {
  for (const [name, adder] of [
    ['WeakMap', 'set'],
    ['WeakSet', 'add'],
  ] as const) {
    const proto = new Obj(machine.intrinsics.objectProto);
    const weakOf = (self: Value): WeakObj =>
      self instanceof WeakObj
        ? self
        : throwError('TypeError', `Method called on incompatible receiver ${describe(self)}`);
    defineClass(global, name, 0, proto, (_self, [source], target) =>
      fill(new WeakObj(protoFor(requireNew(target, name), proto)), source, adder, adder === 'set'),
    );
    defineMethods(proto, {
      [adder]: [
        adder === 'set' ? 2 : 1,
        (self, [object, value]) => {
          const weak = weakOf(self);
          if (!(object instanceof Obj)) return throwError('TypeError', `Invalid value used in ${name}`);
          weak.keep(object, value);
          return self;
        },
      ],
      delete: [1, (self, [object]) => weakOf(self).drop(object)],
      has: [1, (self, [object]) => weakOf(self).hasKey(object)],
    });
    if (adder === 'set') defineMethod(proto, 'get', 1, (self, [object]) => weakOf(self).valueFor(object));
    defineTag(proto, name);
  }
}
