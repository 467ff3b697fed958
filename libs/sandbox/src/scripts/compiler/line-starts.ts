/** Offsets at which the lines of a text begin; `breaks` matches what ends a line. */
export function lineStarts(text: string, breaks: RegExp): number[] {
  return [0, ...Array.from(text.matchAll(breaks), ({ 0: lineBreak, index }) => index + lineBreak.length)];
}

/**
 * How many of the ascending numbers are at most `value`; of those from index `from` to before `to`, the index after the
 * last such one. A binary search.
 */
export function countUpTo(ascending: ArrayLike<number>, value: number, from = 0, to = ascending.length): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
