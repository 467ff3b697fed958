/**
 * A map that keeps the entries used last: `size` of them at most, half as many at least.
 *
 * It is two maps, of which the older is dropped as a whole. A `Map` that loses an entry for every one it gets leaves its
 * former tables behind in V8's old generation, and until the next full collection each keeps alive what it held: with
 * handles of 4 KB the collector copied a megabyte that nobody needed on each of its rounds.
 */
export class Lru<Value> {
  private recent = new Map<string, Value>();
  private older = new Map<string, Value>();
  private readonly half: number;

  constructor(
    size: number,
    private readonly onEvict: (value: Value) => void = () => {},
  ) {
    this.half = Math.max(1, Math.floor(size / 2));
  }

  /** The value of a key, made by `make` where there is none. */
  get(key: string, make: (key: string) => Value): Value {
    const known = this.recent.get(key);
    if (known !== undefined) return known;
    const value = this.older.get(key) ?? make(key);
    this.recent.set(key, value);
    if (this.recent.size >= this.half) this.dropOlder();
    return value;
  }

  /** Forgets everything. */
  clear(): void {
    this.dropOlder();
    this.dropOlder();
  }

  private dropOlder(): void {
    const dropped = this.older;
    this.older = this.recent;
    this.recent = new Map();
    for (const [key, value] of dropped) if (!this.older.has(key)) this.onEvict(value);
  }
}
