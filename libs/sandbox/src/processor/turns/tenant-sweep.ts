import type { QueueBackend } from '../../queue/queue-backend.js';

/** What the sweep needs. */
export interface TenantSweepOptions {
  readonly tenants: () => Promise<readonly string[]>;
  readonly perSecond: number;
  /** Least milliseconds from one start of the rotation to the next, so that few tenants are not looked at all the time. */
  readonly leastRotationMs: number;
  /** Tenants that need no look: this process has them in hand. */
  readonly inHand: (tenantId: string) => boolean;
  readonly onFault: (error: unknown) => void;
}

const STEP_MS = 1_000;

/**
 * Goes through all tenants in slow rotation and signals those that have work: finds what signals miss (a process that
 * died between adding a job and signalling, a flushed ring, jobs added by other tools). The cost per second is the same
 * however many tenants there are; with 10,000 tenants and 30 a second a rotation takes 5.5 minutes.
 */
export class TenantSweep {
  private timer: NodeJS.Timeout | undefined;
  private rotation: readonly string[] = [];
  private at = 0;
  private begun = 0;

  constructor(
    private readonly queue: QueueBackend,
    private readonly options: TenantSweepOptions,
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.runOnce(), STEP_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** One step: as many tenants as a second allows. */
  async runOnce(now = Date.now()): Promise<void> {
    try {
      if (this.at >= this.rotation.length && !(await this.begin(now))) return;
      const slice = this.rotation.slice(this.at, this.at + this.options.perSecond);
      this.at += slice.length;
      const idle = slice.filter((tenantId) => !this.options.inHand(tenantId));
      const withWork = idle.length > 0 ? await this.queue.withWork(idle) : [];
      await this.queue.ring.signal(withWork);
    } catch (error) {
      this.options.onFault(error);
    }
  }

  private async begin(now: number): Promise<boolean> {
    if (now - this.begun < this.options.leastRotationMs) return false;
    const tenants = await this.options.tenants();
    // Processes begin at different places, so that together they are faster than one.
    const cut = Math.floor(Math.random() * tenants.length);
    this.rotation = [...tenants.slice(cut), ...tenants.slice(0, cut)];
    this.at = 0;
    this.begun = now;
    return tenants.length > 0;
  }
}
