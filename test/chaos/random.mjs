// Random numbers that a seed repeats.

/**
 * A generator (mulberry32, by Tommy Ettinger, public domain) from a 32-bit seed. Returns `{ next(), between(from, to),
 * whole(from, to), pick(list) }`: a number from 0 to below 1, one between, a whole one with both ends, one of a list whose
 * items may carry a `weight` (default 1).
 */
export function seeded(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (from, to) => from + next() * (to - from);
  const whole = (from, to) => Math.floor(between(from, to + 1));
  const pick = (list) => {
    const weightOf = (item) => item.weight ?? 1;
    let left = next() * list.reduce((sum, item) => sum + weightOf(item), 0);
    return list.find((item) => (left -= weightOf(item)) < 0) ?? list.at(-1);
  };
  return { next, between, whole, pick };
}
