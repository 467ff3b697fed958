import { SandboxEvents } from '../../events/sandbox-events.js';
import { markQueued } from '../../records/action.statements.js';
import type { Tenancy } from '../../tenancy/tenancy.js';

/**
 * Milliseconds between the queue taking an action and the note of it in its row. A run takes a few of them, and an action
 * that is finished by then needs no note: an idle processor saves nearly every one of these updates.
 */
const DELAY_MS = 250;
const MOST_AT_ONCE = 1_000;

/**
 * Notes in the action rows that the queue has them. Only a help: it shows them as `queued`, and spares the relay a
 * question to the queue. What is lost of it costs that question.
 */
export class QueuedMarks {
  private readonly waiting = new Map<string, string[]>();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly tenancy: Tenancy,
    private readonly events: SandboxEvents,
  ) {}

  /** Notes them soon. */
  add(tenantId: string, actionIds: readonly string[]): void {
    const ids = this.waiting.get(tenantId);
    if (ids) ids.push(...actionIds);
    else this.waiting.set(tenantId, [...actionIds]);
    this.timer ??= setTimeout(() => void this.flush(), DELAY_MS);
  }

  /** Notes everything that waits, now. Never rejects. */
  flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const batches = [...this.waiting];
    this.waiting.clear();
    this.running = this.running.then(async () => {
      for (const [tenantId, ids] of batches) await this.mark(tenantId, ids);
    });
    return this.running;
  }

  private async mark(tenantId: string, ids: readonly string[]): Promise<void> {
    try {
      const lease = await this.tenancy.lease(tenantId);
      try {
        for (let at = 0; at < ids.length; at += MOST_AT_ONCE) {
          await lease.sql.query(markQueued(ids.slice(at, at + MOST_AT_ONCE)));
        }
      } finally {
        lease.release();
      }
    } catch (error) {
      this.events.emit('background.error', { where: 'queued-marks', tenantId, error });
    }
  }
}
