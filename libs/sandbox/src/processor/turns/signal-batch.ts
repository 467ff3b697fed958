import type { QueueBackend } from '../../queue/queue-backend.js';

/** Collects the tenants that are signalled within one turn of the event loop and signals them with one command. */
export class SignalBatch {
  private tenantIds = new Set<string>();
  private readonly sending = new Set<Promise<void>>();

  constructor(
    private readonly queue: QueueBackend,
    private readonly onFault: (error: unknown) => void,
  ) {}

  add(tenantId: string): void {
    if (this.tenantIds.size === 0) setImmediate(() => this.send());
    this.tenantIds.add(tenantId);
  }

  /** Resolves once everything added so far is sent. */
  async flush(): Promise<void> {
    this.send();
    await Promise.all(this.sending);
  }

  private send(): void {
    if (this.tenantIds.size === 0) return;
    const batch = [...this.tenantIds];
    this.tenantIds = new Set();
    const sent = this.queue.ring
      .signal(batch)
      .catch(this.onFault)
      .finally(() => this.sending.delete(sent));
    this.sending.add(sent);
  }
}
