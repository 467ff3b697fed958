/** A map that keeps the `size` entries used last. */
export class Lru<Value> {
  private readonly entries = new Map<string, Value>();

  constructor(
    private readonly size: number,
    private readonly onEvict: (value: Value) => void = () => {},
  ) {}

  /** The value of a key, made by `make` where there is none. */
  get(key: string, make: (key: string) => Value): Value {
    const known = this.entries.get(key);
    const value = known ?? make(key);
    if (known !== undefined) this.entries.delete(key);
    this.entries.set(key, value);
    if (this.entries.size > this.size) this.evictOldest();
    return value;
  }

  /** Forgets everything. */
  clear(): void {
    for (const value of this.entries.values()) this.onEvict(value);
    this.entries.clear();
  }

  private evictOldest(): void {
    const oldest = this.entries.entries().next();
    if (oldest.done) return;
    this.entries.delete(oldest.value[0]);
    this.onEvict(oldest.value[1]);
  }
}
