import { ArrayObj } from '../arrays.js';
import { call, construct, describe, getMember, invoke, lengthOf, toInteger, toObject, toText } from '../convert.js';
import { protoFor } from '../evaluator/functions.js';
import { isCallable, machine, newArray, throwError } from '../machine.js';
import { ELEMENT_BYTES, FnObj, growthBytes, Obj, type Value } from '../values.js';
import { at, deleteAt, plainElements, putAt, setLength, speciesArray } from './array-elements.js';
import { copyWithin, fill, pop, push, reverse, shift, slice, splice, unshift } from './array-changes.js';
import { defineClass, defineMethods, defineSpecies, type Methods } from './define.js';
import { ARRAY_CALLBACKS } from './array-callbacks.js';
import { arrayIteration, iterate } from './iterate.js';
import { arrayIterator } from './iterators.js';
import { isArray, objectTag, setOrThrow } from './object.js';
import { sortValues } from './sort.js';

/** `Array` and `Array.prototype` (ECMA-262 23.1). */
export function installArray(global: Obj): void {
  const { arrayProto } = machine.intrinsics;
  const constructor = defineClass(global, 'Array', 1, arrayProto, (_self, args, target) => {
    const array = new ArrayObj(protoFor(target, arrayProto));
    if (args.length === 1 && typeof args[0] === 'number') return setSize(array, args[0]);
    for (const [index, value] of args.entries()) array.setElement(index, value);
    return array;
  });
  defineSpecies(constructor);
  defineMethods(constructor, STATIC);
  defineMethods(arrayProto, PROTO);
  defineMethods(arrayProto, ARRAY_CALLBACKS);
  const values = arrayProto.getOwn('values')!;
  arrayProto.store(Symbol.iterator, values);
  arrayIteration.values = values.value as FnObj;
}

function setSize(array: ArrayObj, length: number): ArrayObj {
  if (length >>> 0 !== length) throwError('RangeError', 'Invalid array length');
  array.length = length;
  return array;
}

function spreadable(value: Value): value is Obj {
  if (!(value instanceof Obj)) return false;
  const flag = value.get(Symbol.isConcatSpreadable);
  return flag === undefined ? isArray(value) : !!flag;
}

function concat(self: Value, items: Value[]): Value {
  const object = toObject(self);
  const result = speciesArray(object, 0);
  let next = 0;
  for (const item of [object as Value, ...items]) {
    if (!spreadable(item)) {
      putAt(result, next++, item);
      continue;
    }
    const length = lengthOf(item);
    const elements = plainElements(item);
    machine.charge(elements ? length * 16 : 0);
    for (let index = 0; index < length; index++) {
      machine.tick();
      if (elements) putAt(result, next + index, elements[index]);
      else if (item.has(String(index))) putAt(result, next + index, item.get(String(index)));
    }
    next += length;
  }
  setLength(result, next);
  return result;
}

/** Objects being joined: one inside itself is the empty string. */
const joining = new Set<Obj>();

function join(self: Value, separator: Value, text: (value: Value) => string = toText): string {
  const object = toObject(self);
  if (joining.has(object)) return '';
  const length = lengthOf(object);
  const between = separator === undefined ? ',' : toText(separator);
  joining.add(object);
  try {
    return joinElements(object, length, between, text);
  } finally {
    joining.delete(object);
  }
}

function joinElements(object: Obj, length: number, between: string, text: (value: Value) => string): string {
  const parts: string[] = [];
  let size = 0;
  for (let index = 0; index < length; index++) {
    const value = at(object, index);
    const part = value === undefined || value === null ? '' : text(value);
    size += part.length + between.length;
    machine.chargePart(size, part.length + between.length);
    parts.push(part);
  }
  return parts.join(between);
}

function flatten(
  target: Obj,
  source: Obj,
  depth: number,
  from: number,
  length: number,
  map?: (value: Value, index: number) => Value,
): number {
  let next = from;
  for (let index = 0; index < length; index++) {
    if (!source.has(String(index))) {
      machine.tick();
      continue;
    }
    const value = map ? map(at(source, index), index) : at(source, index);
    if (depth > 0 && isArray(value)) {
      machine.enter({ name: 'flat', lines: undefined });
      next = flatten(target, value, depth - 1, next, lengthOf(value));
      machine.leave();
    } else putAt(target, next++, value);
  }
  return next;
}

/** All elements of an array-like, holes as `undefined`. */
export function listOf(self: Value): Value[] {
  const object = toObject(self);
  const elements = plainElements(object);
  machine.charge(lengthOf(object) * 16);
  if (elements) return elements.slice();
  const length = lengthOf(object);
  if (length > 4_294_967_295) return throwError('RangeError', 'Invalid array length');
  const list: Value[] = [];
  for (let index = 0; index < length; index++) list.push(at(object, index));
  return list;
}

function sort(self: Value, [compare]: Value[]): Value {
  if (compare !== undefined && !isCallable(compare))
    return throwError('TypeError', 'The comparison function must be a function');
  const object = toObject(self);
  const length = lengthOf(object);
  const present: Value[] = [];
  for (let index = 0; index < length; index++) {
    machine.tick();
    if (!object.has(String(index))) continue;
    machine.charge(ELEMENT_BYTES + growthBytes(present.length));
    present.push(object.get(String(index)));
  }
  const sorted = sortValues(present, compare);
  for (const [index, value] of sorted.entries()) {
    machine.tick();
    setOrThrow(object, String(index), value);
  }
  for (let index = sorted.length; index < length; index++) {
    machine.tick();
    if (object.has(String(index))) deleteAt(object, index);
  }
  return object;
}

function withElement(self: Value, [index, value]: Value[]): Value {
  const list = listOf(self);
  const relative = toInteger(index);
  const position = relative < 0 ? list.length + relative : relative;
  if (position < 0 || position >= list.length) return throwError('RangeError', 'Invalid index');
  list[position] = value;
  return newArray(list);
}

function toSpliced(self: Value, args: Value[]): Value {
  const list = newArray(listOf(self));
  splice(list, args);
  return list;
}

function makeLike(constructor: Value, args: Value[]): Obj {
  return constructor instanceof FnObj && constructor.construct ? construct(constructor, args) : newArray([]);
}

function from(self: Value, [items, map, receiver]: Value[]): Value {
  if (map !== undefined && !isCallable(map)) return throwError('TypeError', `${describe(map)} is not a function`);
  const mapped = (value: Value, index: number): Value => (map ? call(map, receiver, [value, index]) : value);
  let next = 0;
  if (items !== undefined && items !== null && getMember(items, Symbol.iterator) !== undefined) {
    const result = makeLike(self, []);
    iterate(items, (item) => putAt(result, next, mapped(item, next++)));
    setLength(result, next);
    return result;
  }
  const source = toObject(items);
  const length = lengthOf(source);
  const result = makeLike(self, [length]);
  for (; next < length; next++) putAt(result, next, mapped(at(source, next), next));
  setLength(result, length);
  return result;
}

const STATIC: Methods = {
  isArray: [1, (_self, [value]) => isArray(value)],
  of: [
    0,
    (self, items) => {
      const result = makeLike(self, [items.length]);
      for (const [index, item] of items.entries()) putAt(result, index, item);
      setLength(result, items.length);
      return result;
    },
  ],
  from: [1, from],
};

const PROTO: Methods = {
  at: [
    1,
    (self, [index]) => {
      const object = toObject(self);
      const relative = toInteger(index);
      return object.get(String(relative < 0 ? lengthOf(object) + relative : relative));
    },
  ],
  concat: [1, concat],
  copyWithin: [2, copyWithin],
  entries: [0, (self) => arrayIterator(self, 'entries')],
  fill: [1, fill],
  flat: [
    0,
    (self, [depth]) => {
      const object = toObject(self);
      const length = lengthOf(object);
      const levels = depth === undefined ? 1 : toInteger(depth);
      const result = speciesArray(object, 0);
      flatten(result, object, levels, 0, length);
      return result;
    },
  ],
  flatMap: [
    1,
    (self, [callback, receiver]) => {
      const object = toObject(self);
      if (!isCallable(callback)) return throwError('TypeError', 'flatMap mapper function is not callable');
      const length = lengthOf(object);
      const result = speciesArray(object, 0);
      flatten(result, object, 1, 0, length, (value, index) => callback.call(receiver, [value, index, object]));
      return result;
    },
  ],
  join: [1, (self, [separator]) => join(self, separator)],
  keys: [0, (self) => arrayIterator(self, 'keys')],
  pop: [0, pop],
  push: [1, push],
  reverse: [0, reverse],
  shift: [0, shift],
  slice: [2, slice],
  sort: [1, sort],
  splice: [2, splice],
  'toLocaleString()': [0, (self) => join(self, ',', (value) => toText(invoke(value, 'toLocaleString', [])))],
  toReversed: [0, (self) => newArray(listOf(self).toReversed())],
  toSorted: [
    1,
    (self, [compare]) => {
      if (compare !== undefined && !isCallable(compare))
        return throwError('TypeError', 'The comparison function must be a function');
      return newArray(sortValues(listOf(self), compare));
    },
  ],
  toSpliced: [2, toSpliced],
  'toString()': [
    0,
    (self) => {
      const method = getMember(toObject(self), 'join');
      return isCallable(method) ? method.call(self, []) : objectTag(self);
    },
  ],
  unshift: [1, unshift],
  values: [0, (self) => arrayIterator(self, 'values')],
  with: [2, withElement],
};
