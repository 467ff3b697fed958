import type { QueueBackend } from '../../queue/queue-backend.js';

/** Least milliseconds between two looks. */
const LOOK_EVERY_MS = 3;
/** Milliseconds for which an empty line is taken to stay empty: what a tenant that comes in may wait longer for it. */
const EMPTY_FOR_MS = 5;

/**
 * Knows whether the line of tenants was empty a moment ago, for a process whose slots one tenant has taken all: as long as
 * nobody waits, to go to the end of the line and to come back costs five commands for nothing.
 */
export class LineLook {
  private emptyUntil = 0;
  private lookedAt = Number.NEGATIVE_INFINITY;

  /** `isOurs` is told of the tenant that was taken from the line: one that this process serves needs no place in it. */
  constructor(
    private readonly queue: QueueBackend,
    private readonly isOurs: (tenantId: string) => boolean,
  ) {}

  /** Whether nobody was there at the latest look, if that is recent; has another look taken where it is time. */
  isEmpty(): boolean {
    const now = performance.now();
    if (now - this.lookedAt >= LOOK_EVERY_MS) {
      this.lookedAt = now;
      void this.lookNow();
    }
    return now < this.emptyUntil;
  }

  private async lookNow(): Promise<void> {
    const empty = await this.nobodyElse().catch(() => false);
    this.emptyUntil = empty ? performance.now() + EMPTY_FOR_MS : 0;
  }

  private async nobodyElse(): Promise<boolean> {
    const { ring } = this.queue;
    const [tenantId] = await ring.take(1, 0);
    if (tenantId === undefined || this.isOurs(tenantId)) return true;
    await ring.putBack([tenantId]);
    return false;
  }
}
