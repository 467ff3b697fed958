import { ArrayObj, HOLE } from '../arrays.js';
import { call, describe, getMember, getMethod } from '../convert.js';
import { GuestThrow, machine, newObject, throwError } from '../machine.js';
import { FnObj, Obj, type Value } from '../values.js';

/** An iterator with its `next`. */
export interface IteratorRecord {
  readonly iterator: Value;
  readonly next: Value;
}

export function getIterator(value: Value): IteratorRecord {
  const method = value === undefined || value === null ? undefined : getMethod(value, Symbol.iterator);
  if (!method) return throwError('TypeError', `${describe(value)} is not iterable`);
  const iterator = method.call(value, []);
  if (!(iterator instanceof Obj))
    return throwError('TypeError', 'Result of the Symbol.iterator method is not an object');
  return { iterator, next: iterator.get('next') };
}

/** The next result, or `undefined` where the iterator is done. */
export function stepIterator({ iterator, next }: IteratorRecord): Obj | undefined {
  machine.tick();
  const result = call(next, iterator, []);
  if (!(result instanceof Obj)) return throwError('TypeError', `Iterator result ${describe(result)} is not an object`);
  return result.get('done') ? undefined : result;
}

/** Tells an iterator that no more is wanted. */
export function closeIterator({ iterator }: IteratorRecord): void {
  const method = getMethod(iterator, 'return');
  if (method && !(method.call(iterator, []) instanceof Obj))
    throwError('TypeError', 'Iterator result is not an object');
}

/** Visits what a value iterates over; `visit` may return `false` to end early. */
export function iterate(value: Value, visit: (item: Value) => unknown): void {
  if (isPlainArray(value)) return iterateArray(value, visit);
  const record = getIterator(value);
  for (let result = stepIterator(record); result; result = stepIterator(record)) {
    const item = result.get('value');
    let goOn: unknown;
    try {
      goOn = visit(item);
    } catch (error) {
      if (error instanceof GuestThrow) closeQuietly(record);
      throw error;
    }
    if (goOn === false) return closeIterator(record);
  }
}

function iterateArray(array: ArrayObj, visit: (item: Value) => unknown): void {
  for (let index = 0; index < array.length; index++) {
    machine.tick();
    const element = array.elements[index];
    if (visit(element === HOLE || index >= array.elements.length ? array.get(String(index)) : element) === false)
      return;
  }
}

/** The error that is on its way wins over one of `return`. */
export function closeQuietly(record: IteratorRecord): void {
  const { frame, depth } = machine;
  try {
    closeIterator(record);
  } catch (error) {
    if (!(error instanceof GuestThrow)) throw error;
    machine.restore(frame, depth);
  }
}

/** Whether iterating an array is nobody's business: neither its iterator nor the iterator's `next` was replaced. */
function isPlainArray(value: Value): value is ArrayObj {
  if (!(value instanceof ArrayObj) || value.exotic) return false;
  const method = getMember(value, Symbol.iterator);
  return (
    method instanceof FnObj &&
    method === arrayIteration.values &&
    arrayIteration.proto!.get('next') === arrayIteration.next
  );
}

/** The array iterator as the realm was built. */
export const arrayIteration: { values?: FnObj; next?: FnObj; proto?: Obj } = {};

/** All that a value iterates over. */
export function toList(value: Value): Value[] {
  const items: Value[] = [];
  iterate(value, (item) => {
    machine.charge(16);
    items.push(item);
  });
  return items;
}

/** `{ value, done }`. */
export function iteratorResult(value: Value, done: boolean): Obj {
  const result = newObject();
  result.put('value', value);
  result.put('done', done);
  return result;
}
