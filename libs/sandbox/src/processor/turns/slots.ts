/** The runs that this process may have in hand: a counting semaphore that can be asked what is left. */
export class Slots {
  private used = 0;
  private waiters: (() => void)[] = [];

  constructor(private readonly size: number) {}

  get free(): number {
    return this.size - this.used;
  }

  get taken(): number {
    return this.used;
  }

  /** Takes up to `count` slots; returns how many it got. */
  take(count: number): number {
    const got = Math.max(0, Math.min(count, this.free));
    this.used += got;
    return got;
  }

  give(): void {
    this.used -= 1;
    this.wake();
  }

  /** Resolves once a slot is free, or at `wake`. */
  async available(): Promise<void> {
    if (this.free > 0) return;
    await new Promise<void>((resolve) => this.waiters.push(resolve));
  }

  /** Lets everybody who waits look again. */
  wake(): void {
    const { waiters } = this;
    this.waiters = [];
    for (const resolve of waiters) resolve();
  }
}
