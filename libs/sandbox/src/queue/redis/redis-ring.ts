import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { TenantRing } from '../queue-backend.js';
import type { SandboxRedis } from './scripts.js';

/** Where the line of tenants lives. */
export interface RingKeys {
  readonly ready: string;
  readonly delayed: string;
  readonly seq: string;
  readonly epoch: string;
}

/** Blocking shorter than this is not worth a command; Redis itself is exact to about a millisecond. */
const MIN_BLOCK_MS = 10;
/** A blocking command that has not answered this long after its own timeout sits on a dead connection. */
const DEAD_AFTER_MS = 2_000;
/** Pause after a failed command, so that a loop over `take` does not spin while Redis is away. */
const FAULT_PAUSE_MS = 100;

/**
 * The ring on Redis: two sorted sets and three scripts, two connections however many tenants.
 * `onReset` is called when the data is seen to be new (flushed, or another server).
 */
export class RedisRing implements TenantRing {
  private epoch: string | undefined;
  private readonly closing = new AbortController();

  constructor(
    private readonly commands: SandboxRedis,
    private readonly blocking: Redis,
    private readonly keys: RingKeys,
    private readonly checkMs: number,
    private readonly onReset: () => void,
  ) {}

  async signal(tenantIds: readonly string[]): Promise<void> {
    if (tenantIds.length === 0) return;
    await this.commands.sandboxSignal(this.keys.ready, this.keys.seq, ...tenantIds);
  }

  async putBack(tenantIds: readonly string[]): Promise<void> {
    if (tenantIds.length > 0) await this.commands.sandboxPutBack(this.keys.ready, ...tenantIds);
  }

  async signalAt(tenantId: string, atMs: number): Promise<void> {
    await this.commands.sandboxSignalAt(this.keys.delayed, this.keys.ready, tenantId, Math.ceil(atMs));
  }

  async take(count: number, waitMs: number, signal?: AbortSignal): Promise<string[]> {
    const deadline = Date.now() + waitMs;
    try {
      for (;;) {
        const { tenantIds, nextAt } = await this.pop(count);
        const waitUntil = Math.min(deadline, nextAt ?? Infinity);
        if (tenantIds.length > 0 || this.ended(signal) || Date.now() >= deadline) return tenantIds;
        const tenantId = await this.block(waitUntil - Date.now(), signal);
        if (tenantId) return [tenantId];
      }
    } catch {
      await this.pause(Math.min(waitMs, FAULT_PAUSE_MS));
      return [];
    }
  }

  /** Ends pending `take` calls. */
  close(): void {
    this.closing.abort();
  }

  private ended(signal: AbortSignal | undefined): boolean {
    return this.closing.signal.aborted || signal?.aborted === true;
  }

  private async pop(count: number): Promise<{ tenantIds: string[]; nextAt: number | undefined }> {
    const { ready, delayed, seq, epoch } = this.keys;
    const now = Date.now();
    const fresh = this.epoch ?? randomUUID();
    const [seen = fresh, next, ...tenantIds] = await this.commands.sandboxTake(
      ready,
      delayed,
      seq,
      epoch,
      count,
      now,
      now + this.checkMs,
      this.epoch === undefined ? fresh : randomUUID(),
    );
    if (this.epoch !== undefined && seen !== this.epoch) this.onReset();
    this.epoch = seen;
    return { tenantIds, nextAt: next ? Number(next) : undefined };
  }

  /** Waits for a tenant in the line. `BZPOPMIN` takes it in the same step, which saves a round trip on an idle system. */
  private async block(ms: number, signal: AbortSignal | undefined): Promise<string | undefined> {
    const waitMs = Math.max(MIN_BLOCK_MS, ms);
    const watchdog = setTimeout(() => this.blocking.disconnect(true), waitMs + DEAD_AFTER_MS);
    const wake = (): void => void this.wake();
    signal?.addEventListener('abort', wake, { once: true });
    try {
      const popped = await this.blocking.bzpopmin(this.keys.ready, waitMs / 1_000);
      const tenantId = popped?.[1];
      if (!tenantId) return undefined;
      if (Number(popped[2]) % 2 === 0) this.checkLater(tenantId);
      return tenantId;
    } finally {
      clearTimeout(watchdog);
      signal?.removeEventListener('abort', wake);
    }
  }

  /** What the script of `take` does in the same step, off the path of a woken tenant. A failure costs the sweep's delay. */
  private checkLater(tenantId: string): void {
    this.commands.zadd(this.keys.delayed, 'LT', Date.now() + this.checkMs + 0.5, tenantId).catch(() => {});
  }

  private async wake(): Promise<void> {
    await this.commands.zadd(this.keys.ready, 'NX', 0, '').catch(() => {});
  }

  private async pause(ms: number): Promise<void> {
    if (this.closing.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.closing.signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
    });
  }
}
