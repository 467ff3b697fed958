import type { SandboxEvents } from '../events/sandbox-events.js';
import { settledWithin } from '../health/settled-within.js';
import type { QueueBackend } from '../queue/queue-backend.js';
import type { Tenancy } from '../tenancy/tenancy.js';

/** What `QueueAge` looks at. */
export interface QueueAgePorts {
  readonly events: SandboxEvents;
  readonly backend: QueueBackend;
  readonly tenancy: Tenancy;
}

/** Tenants looked at a time: those this process had to do with last, and as many others in turn. */
const MOST_LATELY = 50;
const MOST_IN_TURN = 50;
/** Milliseconds that a scrape waits for the queue. */
const TIMEOUT_MS = 1_000;

/** How long the action has waited that is next in line, of the tenant where that is longest. */
export class QueueAge {
  /** Tenants in the order in which something was last heard of them. */
  private readonly lately = new Set<string>();
  /** When the next action in line was written, of the tenants where one was waiting at the last look; milliseconds. */
  private readonly waitingSince = new Map<string, number>();
  private rotation: string[] = [];
  private readonly stops: readonly (() => void)[];

  constructor(private readonly ports: QueueAgePorts) {
    const heard = ({ tenantId }: { tenantId: string }): void => this.heardOf(tenantId);
    const { events } = ports;
    this.stops = [events.on('actions.queued', heard), events.on('action.started', heard)];
  }

  /** Seconds; 0 where none waits. While the queue does not answer, what was known of it goes on ageing. Never rejects. */
  async read(): Promise<number> {
    await settledWithin(TIMEOUT_MS, () => this.look());
    const first = Math.min(...this.waitingSince.values());
    return Number.isFinite(first) ? Math.max(0, Date.now() - first) / 1_000 : 0;
  }

  /** Hears nothing any more. */
  stop(): void {
    for (const stop of this.stops) stop();
  }

  private heardOf(tenantId: string): void {
    this.lately.delete(tenantId);
    this.lately.add(tenantId);
    if (this.lately.size > MOST_LATELY) for (const oldest of this.lately) return void this.lately.delete(oldest);
  }

  private async look(): Promise<void> {
    const tenantIds = [...new Set([...this.lately, ...(await this.nextInTurn())])];
    const busy = new Set(await this.ports.backend.withWork(tenantIds));
    for (const tenantId of tenantIds) if (!busy.has(tenantId)) this.waitingSince.delete(tenantId);
    await Promise.all([...busy].map((tenantId) => this.lookAt(tenantId)));
  }

  private async lookAt(tenantId: string): Promise<void> {
    const [next] = await this.ports.backend.queue(tenantId).getJobs(['waiting'], 0, 0, true);
    if (next) this.waitingSince.set(tenantId, next.data.createdAt);
    else this.waitingSince.delete(tenantId);
  }

  private async nextInTurn(): Promise<string[]> {
    if (this.rotation.length === 0) this.rotation = [...(await this.ports.tenancy.tenants())];
    return this.rotation.splice(0, MOST_IN_TURN);
  }
}
