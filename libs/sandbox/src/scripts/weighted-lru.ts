/**
 * A map that forgets what was used longest ago once its values weigh more than `mostWeight`, or are more than `mostEntries`.
 * The newest always stays.
 */
export class WeightedLru<Key, Value extends { readonly weight: number }> {
  private readonly entries = new Map<Key, Value>();
  private weight = 0;

  constructor(
    private readonly mostWeight: number,
    private readonly mostEntries = Infinity,
  ) {}

  /** The value, now the most recently used. */
  get(key: Key): Value | undefined {
    const value = this.entries.get(key);
    if (value === undefined) return undefined;
    this.entries.delete(key);
    this.entries.set(key, value);
    return value;
  }

  set(key: Key, value: Value): void {
    this.delete(key);
    this.entries.set(key, value);
    this.weight += value.weight;
    for (const oldest of this.entries.keys()) {
      const fits = this.weight <= this.mostWeight && this.entries.size <= this.mostEntries;
      if (fits || this.entries.size === 1) return;
      this.delete(oldest);
    }
  }

  delete(key: Key): void {
    const value = this.entries.get(key);
    if (value === undefined) return;
    this.entries.delete(key);
    this.weight -= value.weight;
  }

  values(): Iterable<Value> {
    return this.entries.values();
  }

  get size(): number {
    return this.entries.size;
  }
}
