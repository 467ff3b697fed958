/** Milliseconds over which the load is taken. */
const WINDOW_MS = 60;

/** How many cores the process keeps busy, over the last 60 ms or more. */
export class CpuMeter {
  private since = performance.now();
  private usage = process.cpuUsage();
  private latest = 0;

  /** Cores in use: 0 to the number of cores. */
  load(): number {
    const elapsedMs = performance.now() - this.since;
    if (elapsedMs < WINDOW_MS) return this.latest;
    const { user, system } = process.cpuUsage(this.usage);
    this.latest = (user + system) / 1000 / elapsedMs;
    this.since = performance.now();
    this.usage = process.cpuUsage();
    return this.latest;
  }
}
