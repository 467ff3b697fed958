/** Times a wait is not spun for, at most, after spins in vain. */
const MOST_SKIPPED = 63;

/**
 * Decides whether to spin for something before sleeping: to be woken takes 30 to 60 us, mostly of a core that had gone
 * to sleep, and cold caches; but to spin for what comes late is wasted. Each spin in vain doubles the number of waits that
 * are not spun for, up to 63; one that succeeds makes it none. So a slow host costs a spin in 64 waits.
 */
export class Patience {
  private skipping = 0;
  private skip = 0;

  /** `ms`: how long to spin, in milliseconds. Default 0.04: what being woken costs. */
  constructor(readonly ms = 0.04) {}

  /** Whether to spin for the next wait. */
  worthIt(): boolean {
    if (this.skip === 0) return true;
    this.skip--;
    return false;
  }

  /** What came of a spin. */
  learn(found: boolean): void {
    this.skipping = found ? 0 : Math.min(this.skipping * 2 + 1, MOST_SKIPPED);
    this.skip = this.skipping;
  }

  /** Spins where it is worth it; `look` spins for that long and says whether it found something. */
  spin(look: (ms: number) => boolean): void {
    if (this.worthIt()) this.learn(look(this.ms));
  }
}
