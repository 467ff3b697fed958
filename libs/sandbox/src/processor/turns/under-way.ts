/** Counts work that was begun and that somebody waits for at the end. */
export class UnderWay {
  private count = 0;
  private readonly waiters: (() => void)[] = [];

  constructor(private readonly onFault: (error: unknown) => void) {}

  /** Counts the work until it settles; a rejection goes to `onFault`. */
  add(work: Promise<void>): void {
    this.count += 1;
    work.then(this.ended, (error: unknown) => {
      this.onFault(error);
      this.ended();
    });
  }

  /** Resolves once none is left, and none that it has begun itself. */
  async none(): Promise<void> {
    if (this.count > 0) await new Promise<void>((resolve) => this.waiters.push(resolve));
  }

  private readonly ended = (): void => {
    this.count -= 1;
    if (this.count === 0) for (const resolve of this.waiters.splice(0)) resolve();
  };
}
