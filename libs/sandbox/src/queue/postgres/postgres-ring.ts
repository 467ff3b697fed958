import type { PostgresConnection } from 'bullmq';
import type { TenantRing } from '../queue-backend.js';

/** Pause after a failed query, so that a loop over `take` does not spin while PostgreSQL is away. */
const FAULT_PAUSE_MS = 250;
/** Longest sleep without looking, in case the listening connection died unnoticed. */
const LONGEST_SLEEP_MS = 1_000;

/** The ring on PostgreSQL: two small tables and NOTIFY, which wakes whoever waits. */
export class PostgresRing implements TenantRing {
  private readonly closing = new AbortController();
  private readonly sleepers = new Set<() => void>();
  private listening: Promise<void> | undefined;
  /** Goes up with every notification, so that one that arrives before the sleep is not missed. */
  private notified = 0;

  constructor(
    private readonly connection: PostgresConnection,
    private readonly channel: string,
    private readonly checkMs: number,
  ) {
    connection.on('listenerinvalidated', () => {
      this.listening = undefined;
      this.wakeAll();
    });
  }

  async signal(tenantIds: readonly string[]): Promise<void> {
    if (tenantIds.length === 0) return;
    const text = 'select sandbox_ring_signal($1::text[], $2)';
    await this.connection.pool.query(text, [[...new Set(tenantIds)], this.channel]);
  }

  async putBack(tenantIds: readonly string[]): Promise<void> {
    if (tenantIds.length === 0) return;
    const text = 'select sandbox_ring_put_back($1::text[], $2)';
    await this.connection.pool.query(text, [tenantIds, this.channel]);
  }

  async signalAt(tenantId: string, atMs: number): Promise<void> {
    const text = 'select sandbox_ring_signal_at($1, $2::bigint, $3)';
    await this.connection.pool.query(text, [tenantId, Math.ceil(atMs), this.channel]);
  }

  async take(count: number, waitMs: number, signal?: AbortSignal): Promise<string[]> {
    const deadline = Date.now() + waitMs;
    try {
      if (waitMs > 0) await this.listen();
      for (;;) {
        const seen = this.notified;
        const { tenantIds, nextAt } = await this.pop(count);
        const now = Date.now();
        if (tenantIds.length > 0 || now >= deadline || this.ended(signal)) return tenantIds;
        if (seen === this.notified) await this.sleep(Math.min(deadline, nextAt ?? Infinity) - now, signal);
      }
    } catch {
      await this.sleep(Math.min(waitMs, FAULT_PAUSE_MS), signal);
      return [];
    }
  }

  /** Ends pending `take` calls. */
  close(): void {
    this.closing.abort();
    this.wakeAll();
  }

  private ended(signal: AbortSignal | undefined): boolean {
    return this.closing.signal.aborted || signal?.aborted === true;
  }

  private async pop(count: number): Promise<{ tenantIds: string[]; nextAt: number | undefined }> {
    if (this.closing.signal.aborted) return { tenantIds: [], nextAt: undefined };
    const now = Date.now();
    const text = 'select tenant_ids, next_at from sandbox_ring_take($1, $2::bigint, $3::bigint)';
    const { rows } = await this.connection.pool.query<{ tenant_ids: string[] | null; next_at: string | null }>(text, [
      count,
      now,
      now + this.checkMs,
    ]);
    const next = rows[0]?.next_at;
    return { tenantIds: rows[0]?.tenant_ids ?? [], nextAt: next ? Number(next) : undefined };
  }

  private listen(): Promise<void> {
    this.listening ??= this.subscribe().catch((error: unknown) => {
      this.listening = undefined;
      throw error;
    });
    return this.listening;
  }

  private async subscribe(): Promise<void> {
    const client = await this.connection.getListenClient();
    client.on('notification', ({ channel }) => {
      if (channel === this.channel) this.wakeAll();
    });
    await client.query(`listen "${this.channel}"`);
  }

  private async sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.ended(signal)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.sleepers.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(1, Math.min(ms, LONGEST_SLEEP_MS)));
      this.sleepers.add(done);
      signal?.addEventListener('abort', done, { once: true });
    });
  }

  private wakeAll(): void {
    this.notified += 1;
    for (const wake of this.sleepers) wake();
  }
}
