import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { SandboxEvents } from '../events/sandbox-events.js';
import { QUEUE_BACKEND, type QueueBackend } from '../queue/queue-backend.js';

/** Milliseconds a deploy waits for its announcement; after that it is announced behind its back. */
const PATIENCE_MS = 1_000;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 5_000;

/** Tells every process that a tenant's scripts changed; keeps at it while the queue is down. */
@Injectable()
export class DeploymentAnnouncer implements OnModuleDestroy {
  private readonly waiting = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private retryMs = FIRST_RETRY_MS;
  private stopped = false;

  constructor(
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(SandboxEvents) private readonly events: SandboxEvents,
  ) {}

  onModuleDestroy(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** Resolves once announced, or after a second. Never rejects: the deploy is committed, whatever the queue does. */
  async announce(tenantId: string): Promise<void> {
    const patience = new AbortController();
    const attempt = this.attempt(tenantId).finally(() => patience.abort());
    await Promise.race([attempt, delay(PATIENCE_MS, undefined, patience).catch(() => undefined)]);
  }

  /** Tenants whose announcement has not got through yet. */
  pending(): readonly string[] {
    return [...this.waiting];
  }

  /** One more try for each of them. */
  async runOnce(): Promise<void> {
    for (const tenantId of this.pending()) await this.attempt(tenantId);
  }

  private async attempt(tenantId: string): Promise<void> {
    try {
      await this.backend.deployments.announce(tenantId);
      this.waiting.delete(tenantId);
      this.retryMs = FIRST_RETRY_MS;
    } catch (error) {
      if (!this.waiting.has(tenantId)) this.events.emit('background.error', { where: 'announce', tenantId, error });
      this.waiting.add(tenantId);
      this.retryLater();
    }
  }

  private retryLater(): void {
    if (this.stopped || this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.runOnce();
    }, this.retryMs);
    this.timer.unref();
    this.retryMs = Math.min(2 * this.retryMs, LAST_RETRY_MS);
  }
}
