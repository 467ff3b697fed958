import { Lru } from '../../queue/lru.js';
import type { QueueBackend } from '../../queue/queue-backend.js';

/** Tenants whose last look is remembered. */
const TENANTS_KEPT = 4_096;
/** A look this much earlier than due still counts, since timers are not exact. */
const EARLY = 0.9;

interface Look {
  at: number;
  /** Whether jobs of the tenant were in somebody's hands. */
  active: boolean;
}

/**
 * Jobs whose lock ran out: their processor died, or could not renew it. Asked where a tenant turns out to have nothing to
 * fetch; as long as some process holds jobs of the tenant, the ring brings it back every `checkMs`.
 */
export class LapsedJobs {
  private readonly looks = new Lru<Look>(TENANTS_KEPT);

  constructor(
    private readonly queue: QueueBackend,
    private readonly checkMs: number,
  ) {}

  /** Puts lapsed jobs back at the front of their line; resolves to whether there were any. */
  async putBack(tenantId: string): Promise<boolean> {
    const look = this.looks.get(tenantId, () => ({ at: 0, active: false }));
    const now = Date.now();
    if (now - look.at >= this.checkMs * EARLY) {
      look.at = now;
      const backend = this.queue.forTenant(tenantId);
      if ((await backend.moveStalledJobsToWait()).length > 0) return true;
      const [active = 0] = await backend.getCounts(['active']);
      look.active = active > 0;
    }
    if (look.active) await this.queue.ring.signalAt(tenantId, look.at + this.checkMs);
    return false;
  }
}
