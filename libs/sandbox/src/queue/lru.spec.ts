import { Lru } from './lru.js';

describe('the map of what was used last', () => {
  const filled = (size: number, keys: string) => {
    const evicted: string[] = [];
    const made: string[] = [];
    const lru = new Lru<string>(size, (value) => evicted.push(value));
    const get = (key: string) => lru.get(key, () => (made.push(key), key));
    for (const key of keys) get(key);
    return { lru, get, evicted, made };
  };

  it('makes each value once as long as all fit in half its size', () => {
    expect(filled(8, 'abcdabcdabcd').made).toEqual(['a', 'b', 'c', 'd']);
  });

  it('keeps what is used, and gives up each of the others once', () => {
    const { made, evicted } = filled(4, 'abacadaeaf');
    expect(made).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    expect(evicted).toEqual(['b', 'c', 'd', 'e']);
  });

  it('never holds more than its size', () => {
    const { made, evicted } = filled(
      10,
      [...Array(500).keys()].map((n) => String.fromCharCode(1_000 + (n % 37))).join(''),
    );
    expect(made.length - evicted.length).toBeLessThanOrEqual(10);
    expect(evicted.every((value, n) => value === made[n])).toBe(true);
  });

  it('keeps a value that was used between two drops, and works with a size of one', () => {
    const { get, made } = filled(1, 'aaa');
    expect(made).toEqual(['a']);
    get('b');
    get('a');
    expect(made.length).toBeLessThanOrEqual(3);
  });

  it('gives up everything at clear, each value once', () => {
    const { lru, evicted, get, made } = filled(4, 'abcab');
    lru.clear();
    expect([...evicted].toSorted()).toEqual(made.toSorted());
    get('a');
    expect(made.at(-1)).toBe('a');
  });
});
