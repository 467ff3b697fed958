/** Bytes past its limit that a run may have as garbage. */
const SLACK = 4 * 1024 * 1024;
/**
 * Bytes that a run may have added before anybody asks how large the heap was without it: as much as the garbage of new
 * objects comes to, so that ordinary runs cost no collection (10 to 50 ms).
 */
const UNASKED = 16 * 1024 * 1024;

/** V8's own collection, where the process was started with `--expose-gc`; a guest never sees a global of the host's. */
const collectGarbage = (globalThis as { gc?: () => void }).gc;

/**
 * The thread's heap as the judge of what a run holds. Estimates of single objects miss by a factor (closures, the tables of
 * a map, a small slice that keeps a large text); the heap does not, once its garbage is collected.
 */
export class HeapWatch {
  /** Whether garbage can be told from what is held. */
  readonly exact = collectGarbage !== undefined;
  /** The heap when nothing of a run was in it. */
  private clean = heapUsed();
  /** The heap without the present run; unknown until it has grown by more than may be garbage of the runs before. */
  private before: number | undefined;

  start(): void {
    this.before = undefined;
  }

  /**
   * Bytes that the run has added, `coming` ones included: garbage is in them only up to `limit` and 4 MiB.
   * @param estimate What the run holds, roughly; asked once a run.
   */
  held(limit: number, coming: number, estimate: () => number): number {
    if (this.before === undefined) {
      if (heapUsed() - this.clean + coming <= UNASKED) return coming;
      this.clean = this.before = this.withoutRun(estimate);
    }
    const grown = heapUsed() - this.before + coming;
    if (grown <= limit + SLACK) return Math.min(grown, limit);
    collectGarbage?.();
    return heapUsed() - this.before + coming;
  }

  /** Bytes that the heap has grown by since the first call in a run, and the `fresh` ones before it; garbage is in them. */
  grown(fresh: number): number {
    const heap = heapUsed();
    this.before ??= heap - fresh;
    return heap - this.before;
  }

  private withoutRun(estimate: () => number): number {
    collectGarbage?.();
    const heap = heapUsed();
    return Math.max(Math.min(heap, this.clean), heap - estimate());
  }
}

function heapUsed(): number {
  return process.memoryUsage().heapUsed;
}
