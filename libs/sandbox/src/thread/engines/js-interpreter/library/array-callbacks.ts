import { describe, lengthOf, toInteger, toObject } from '../convert.js';
import type { Native } from '../evaluator/functions.js';
import { isCallable, machine, throwError } from '../machine.js';
import { type FnObj, type Key, Obj, type Value } from '../values.js';
import { at, putAt, speciesArray } from './array-elements.js';
import type { Methods } from './define.js';

interface Visited {
  readonly value: Value;
  readonly index: number;
  readonly object: Obj;
  readonly result: Value;
}

function callbackOf(value: Value): FnObj {
  return isCallable(value) ? value : throwError('TypeError', `${describe(value)} is not a function`);
}

/**
 * Visits the elements of an array-like with a guest function; `see` gets each result and returns true to end.
 * `holes`: absent elements are visited too, as `undefined`.
 */
function visit(
  self: Value,
  args: Value[],
  holes: boolean,
  backwards: boolean,
  see: (visited: Visited) => boolean | void,
): Obj {
  const object = toObject(self);
  const length = lengthOf(object);
  const callback = callbackOf(args[0]);
  for (let step = 0; step < length; step++) {
    const index = backwards ? length - 1 - step : step;
    machine.tick();
    const key: Key = String(index);
    if (!holes && !object.has(key)) continue;
    const value = object.get(key);
    const result = callback.call(args[1], [value, index, object]);
    if (see({ value, index, object, result })) break;
  }
  return object;
}

function finder(backwards: boolean, give: (visited: Visited) => Value, otherwise: Value): Native {
  return (self, args) => {
    let found: Value = otherwise;
    visit(self, args, true, backwards, (visited) => {
      if (!visited.result) return false;
      found = give(visited);
      return true;
    });
    return found;
  };
}

function reducer(backwards: boolean): Native {
  return (self, args) => {
    const object = toObject(self);
    const length = lengthOf(object);
    const callback = callbackOf(args[0]);
    let step = 0;
    const index = (): number => (backwards ? length - 1 - step : step);
    let value = args[1];
    if (args.length < 2) {
      while (step < length && !object.has(String(index()))) step += tick();
      if (step >= length) return throwError('TypeError', 'Reduce of empty array with no initial value');
      value = object.get(String(index()));
      step++;
    }
    for (; step < length; step += tick())
      if (object.has(String(index())))
        value = callback.call(undefined, [value, object.get(String(index())), index(), object]);
    return value;
  };
}

function tick(): 1 {
  machine.tick();
  return 1;
}

function indexOf(self: Value, [wanted, start]: Value[]): Value {
  const object = toObject(self);
  const length = lengthOf(object);
  const from = toInteger(start);
  for (let index = from < 0 ? Math.max(length + from, 0) : from; index < length; index++) {
    machine.tick();
    if (object.has(String(index)) && object.get(String(index)) === wanted) return index;
  }
  return -1;
}

function lastIndexOf(self: Value, args: Value[]): Value {
  const object = toObject(self);
  const length = lengthOf(object);
  const from = args.length > 1 ? toInteger(args[1]) : length - 1;
  for (let index = from < 0 ? length + from : Math.min(from, length - 1); index >= 0; index--) {
    machine.tick();
    if (object.has(String(index)) && object.get(String(index)) === args[0]) return index;
  }
  return -1;
}

function includes(self: Value, [wanted, start]: Value[]): Value {
  const object = toObject(self);
  const length = lengthOf(object);
  const from = toInteger(start);
  for (let index = from < 0 ? Math.max(length + from, 0) : from; index < length; index++) {
    const value = at(object, index);
    if (value === wanted || (value !== value && wanted !== wanted)) return true;
  }
  return false;
}

/** The methods of arrays that call the guest back, or search. */
export const ARRAY_CALLBACKS: Methods = {
  every: [
    1,
    (self, args) => {
      let all = true;
      visit(self, args, false, false, ({ result }) => !(all = !!result));
      return all;
    },
  ],
  some: [
    1,
    (self, args) => {
      let any = false;
      visit(self, args, false, false, ({ result }) => (any = !!result));
      return any;
    },
  ],
  forEach: [
    1,
    (self, args) => {
      visit(self, args, false, false, () => false);
      return undefined;
    },
  ],
  map: [
    1,
    (self, args) => {
      callbackOf(args[0]);
      const object = toObject(self);
      const mapped = speciesArray(object, lengthOf(object));
      visit(object, args, false, false, ({ index, result }) => putAt(mapped, index, result));
      const length = lengthOf(object);
      if (lengthOf(mapped) < length) mapped.set('length', length);
      return mapped;
    },
  ],
  filter: [
    1,
    (self, args) => {
      callbackOf(args[0]);
      const object = toObject(self);
      const kept = speciesArray(object, 0);
      let next = 0;
      visit(object, args, false, false, ({ value, result }) => {
        if (result) putAt(kept, next++, value);
      });
      return kept;
    },
  ],
  find: [1, finder(false, ({ value }) => value, undefined)],
  findIndex: [1, finder(false, ({ index }) => index, -1)],
  findLast: [1, finder(true, ({ value }) => value, undefined)],
  findLastIndex: [1, finder(true, ({ index }) => index, -1)],
  includes: [1, includes],
  indexOf: [1, indexOf],
  lastIndexOf: [1, lastIndexOf],
  reduce: [1, reducer(false)],
  reduceRight: [1, reducer(true)],
};
