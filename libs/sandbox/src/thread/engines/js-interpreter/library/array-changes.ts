import { ArrayObj } from '../arrays.js';
import { lengthOf, toInteger, toObject, toRelative } from '../convert.js';
import { machine } from '../machine.js';
import type { Obj, Value } from '../values.js';
import { at, deleteAt, plainElements, putAt, setLength, speciesArray } from './array-elements.js';
import { setOrThrow } from './object.js';

/** `Array.prototype.splice`. */
export function splice(self: Value, args: Value[]): Value {
  const object = toObject(self);
  const length = lengthOf(object);
  const start = toRelative(args[0], length, 0);
  const removed =
    args.length === 0
      ? 0
      : args.length === 1
        ? length - start
        : Math.min(Math.max(toInteger(args[1]), 0), length - start);
  const items = args.slice(2);
  const elements = plainElements(object);
  const result = speciesArray(object, removed);
  if (elements && object instanceof ArrayObj && object.extensible) {
    machine.spend(elements.length >> 4);
    machine.charge((removed + items.length) * 16);
    for (const [index, value] of elements.splice(start, removed, ...items).entries()) putAt(result, index, value);
    object.length = elements.length;
  } else {
    for (let index = 0; index < removed; index++)
      if (object.has(String(start + index))) putAt(result, index, at(object, start + index));
    shiftElements(object, start + removed, start + items.length, length);
    for (const [index, item] of items.entries()) setOrThrow(object, String(start + index), item);
    setLength(object, length - removed + items.length);
  }
  setLength(result, removed);
  return result;
}

/** Moves the elements `[from, length)` so that they begin at `to`. */
function shiftElements(object: Obj, from: number, to: number, length: number): void {
  const count = length - from;
  const move = (offset: number): void => {
    machine.tick();
    if (object.has(String(from + offset))) setOrThrow(object, String(to + offset), object.get(String(from + offset)));
    else deleteAt(object, to + offset);
  };
  if (to < from) {
    for (let offset = 0; offset < count; offset++) move(offset);
    for (let index = length - 1; index >= length - (from - to); index--) deleteAt(object, index);
  } else if (to > from) for (let offset = count - 1; offset >= 0; offset--) move(offset);
}

/** `Array.prototype.slice`. */
export function slice(self: Value, [start, end]: Value[]): Value {
  const object = toObject(self);
  const length = lengthOf(object);
  const from = toRelative(start, length, 0);
  const to = toRelative(end, length, length);
  const result = speciesArray(object, Math.max(to - from, 0));
  const elements = plainElements(object);
  let next = 0;
  for (let index = from; index < to; index++, next++) {
    machine.tick();
    if (elements) putAt(result, next, elements[index]);
    else if (object.has(String(index))) putAt(result, next, object.get(String(index)));
  }
  setLength(result, next);
  return result;
}

/** `Array.prototype.push`. */
export function push(self: Value, items: Value[]): Value {
  const object = toObject(self);
  let length = lengthOf(object);
  for (const item of items) {
    if (!(
      object instanceof ArrayObj &&
      !object.exotic &&
      object.extensible &&
      length === object.length &&
      object.setElement(length, item)
    ))
      setOrThrow(object, String(length), item);
    length++;
  }
  setLength(object, length);
  return length;
}

/** `Array.prototype.pop`. */
export function pop(self: Value): Value {
  const object = toObject(self);
  const length = lengthOf(object);
  if (length === 0) {
    setLength(object, 0);
    return undefined;
  }
  const value = at(object, length - 1);
  deleteAt(object, length - 1);
  setLength(object, length - 1);
  return value;
}

/** `Array.prototype.shift`. */
export function shift(self: Value): Value {
  const object = toObject(self);
  const elements = plainElements(object);
  const length = lengthOf(object);
  if (length === 0) {
    setLength(object, 0);
    return undefined;
  }
  if (elements && object instanceof ArrayObj) {
    object.length = length - 1;
    return elements.shift();
  }
  const first = at(object, 0);
  shiftElements(object, 1, 0, length);
  setLength(object, length - 1);
  return first;
}

/** `Array.prototype.unshift`. */
export function unshift(self: Value, items: Value[]): Value {
  const object = toObject(self);
  const elements = plainElements(object);
  const length = lengthOf(object);
  if (elements && object instanceof ArrayObj && object.extensible) {
    machine.charge(items.length * 16);
    elements.unshift(...items);
    object.length = elements.length;
  } else if (items.length > 0) {
    shiftElements(object, 0, items.length, length);
    for (const [index, item] of items.entries()) setOrThrow(object, String(index), item);
  }
  setLength(object, length + items.length);
  return length + items.length;
}

/** `Array.prototype.reverse`. */
export function reverse(self: Value): Value {
  const object = toObject(self);
  const length = lengthOf(object);
  for (let low = 0, high = length - 1; low < high; low++, high--) {
    machine.tick();
    const hasLow = object.has(String(low));
    const first = hasLow ? object.get(String(low)) : undefined;
    const hasHigh = object.has(String(high));
    const last = hasHigh ? object.get(String(high)) : undefined;
    if (hasHigh) setOrThrow(object, String(low), last);
    else if (hasLow) deleteAt(object, low);
    if (hasLow) setOrThrow(object, String(high), first);
    else if (hasHigh) deleteAt(object, high);
  }
  return object;
}

/** `Array.prototype.fill`. */
export function fill(self: Value, [value, start, end]: Value[]): Value {
  const object = toObject(self);
  const length = lengthOf(object);
  const to = toRelative(end, length, length);
  for (let index = toRelative(start, length, 0); index < to; index++) {
    machine.tick();
    setOrThrow(object, String(index), value);
  }
  return object;
}

/** `Array.prototype.copyWithin`. */
export function copyWithin(self: Value, [target, start, end]: Value[]): Value {
  const object = toObject(self);
  const length = lengthOf(object);
  const to = toRelative(target, length, 0);
  const from = toRelative(start, length, 0);
  const count = Math.min(toRelative(end, length, length) - from, length - to);
  const forward = !(from < to && to < from + count);
  for (let step = 0; step < count; step++) {
    machine.tick();
    const offset = forward ? step : count - 1 - step;
    if (object.has(String(from + offset))) setOrThrow(object, String(to + offset), object.get(String(from + offset)));
    else deleteAt(object, to + offset);
  }
  return object;
}
