/** Milliseconds to wait before the next attempt: doubling, up to a minute, the last half of it at random. */
export function backoff(attemptsMade: number, firstMs: number, random: () => number = Math.random): number {
  const full = Math.min(60_000, firstMs * 2 ** Math.min(attemptsMade, 20));
  return Math.round(full / 2 + (full / 2) * random());
}
