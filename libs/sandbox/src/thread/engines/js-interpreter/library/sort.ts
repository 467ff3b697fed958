import { toNumber, toText } from '../convert.js';
import { machine } from '../machine.js';
import type { FnObj, Value } from '../values.js';

/** Sorts stably in O(n log n) comparisons: `undefined` last, by the function or else as texts. Returns a new list. */
export function sortValues(values: readonly Value[], compare: FnObj | undefined): Value[] {
  const defined = values.filter((value) => value !== undefined);
  machine.charge(values.length * (compare ? 48 : 144));
  const sorted = compare ? mergeSort(defined, byFunction(compare)) : sortAsTexts(defined);
  return [...sorted, ...values.filter((value) => value === undefined)];
}

function byFunction(compare: FnObj): (a: Value, b: Value) => number {
  return (a, b) => {
    const order = compare.call(undefined, [a, b]);
    return typeof order === 'number' ? order : toNumber(order);
  };
}

function sortAsTexts(values: readonly Value[]): Value[] {
  const keyed = values.map((value) => ({ value, text: toText(value) }));
  return mergeSort(keyed, (a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0)).map(({ value }) => value);
}

/** Bottom-up merge sort: the host's own sort may not be left by a guest's exception halfway with work undone. */
function mergeSort<T>(values: readonly T[], compare: (a: T, b: T) => number): T[] {
  let from = values.slice();
  let to = values.slice();
  for (let width = 1; width < values.length; width *= 2) {
    for (let low = 0; low < values.length; low += 2 * width)
      merge(from, to, low, Math.min(low + width, values.length), Math.min(low + 2 * width, values.length), compare);
    [from, to] = [to, from];
  }
  return from;
}

function merge<T>(
  from: T[],
  to: T[],
  low: number,
  middle: number,
  high: number,
  compare: (a: T, b: T) => number,
): void {
  let left = low;
  let right = middle;
  for (let at = low; at < high; at++) {
    machine.tick();
    const takeLeft = left < middle && (right >= high || compare(from[left]!, from[right]!) <= 0);
    to[at] = takeLeft ? from[left++]! : from[right++]!;
  }
}
