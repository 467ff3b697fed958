import { backoff } from './backoff.js';

describe('the backoff', () => {
  it('doubles up to a minute, with half of it at random', () => {
    const at = (n: number, random: number) => backoff(n, 250, () => random);
    expect([0, 1, 2, 3].map((n) => at(n, 1))).toEqual([250, 500, 1_000, 2_000]);
    expect([0, 1, 2, 3].map((n) => at(n, 0))).toEqual([125, 250, 500, 1_000]);
    expect(at(1_000, 1)).toBe(60_000);
  });
});
