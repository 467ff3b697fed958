import { Inject, Injectable } from '@nestjs/common';
import { Lru } from '../../queue/lru.js';
import type { OrderKeys } from '../../records/order.statements.js';
import { SANDBOX_OPTIONS, type SandboxOptions } from '../../sandbox.options.js';
import { SCRIPT_REGISTRY, type ScriptRegistry, type TriggerIndex } from '../../scripts/script-registry.js';
import type { Order, ScriptVersion } from '../../scripts/script.js';
import { TENANCY, type Tenancy } from '../../tenancy/tenancy.js';

/**
 * Milliseconds after a change of its scripts for which a tenant goes on one at a time, and after they all ask for order
 * again for which runs still ask before they start. A deploy is in force everywhere within one second; until then some
 * process may still think otherwise, so only with this in between does nobody rely on being alone while others are not.
 */
const SETTLE_MS = 3_000;
/** Tenants whose last answer is remembered. */
const TENANTS_KEPT = 4_096;

/** What the scripts of an index ask for. */
interface Asked {
  /** Whether any that is enabled asks for less order than one at a time. */
  readonly wide: boolean;
  /** Ids of the scripts of order `tenant`. */
  readonly tenant: readonly string[];
  /** Ids of those of order `tenant` or `record`. */
  readonly ordered: readonly string[];
}

interface Known {
  /** Whether the tenant's actions ran side by side when last looked; `undefined` before the first look. */
  wide: boolean | undefined;
  /** When they last did, on the clock of `performance.now()`. */
  wideAt: number;
}

/**
 * How much order a tenant's scripts ask for. As long as all of them want one action at a time, BullMQ's concurrency of 1
 * is all there is to it. Where one asks for less, the queue hands out more at once, and every run of a script that does
 * ask for order claims its action in the tenant's database first (`keysOf`).
 */
@Injectable()
export class TenantOrders {
  private readonly known = new Lru<Known>(TENANTS_KEPT);
  private readonly asked = new WeakMap<TriggerIndex, Asked>();

  constructor(
    @Inject(SANDBOX_OPTIONS) private readonly options: SandboxOptions,
    @Inject(TENANCY) private readonly tenancy: Tenancy,
    @Inject(SCRIPT_REGISTRY) private readonly registry: ScriptRegistry,
  ) {}

  /**
   * Has to resolve before `concurrency` is asked for a turn; nothing where it can be asked at once. Never rejects: a
   * tenant whose scripts cannot be read goes one at a time.
   */
  prepare(tenantId: string): Promise<void> | undefined {
    if (this.always || this.registry.cached(tenantId)) return undefined;
    // One at a time is right whatever the scripts say by now; the next run reads them.
    if (this.knownOf(tenantId).wide === false) return undefined;
    return this.read(tenantId).catch(() => undefined);
  }

  /** Runs of the tenant in flight, over all processes. */
  concurrency(tenantId: string): number {
    const { tenantConcurrency } = this.options.processing;
    if (this.always) return tenantConcurrency;
    const index = this.registry.cached(tenantId);
    const known = index ? this.look(index) : this.knownOf(tenantId);
    return known.wide && !(index && performance.now() - index.changedAt < SETTLE_MS) ? tenantConcurrency : 1;
  }

  /** What a run has to keep apart from; nothing where it is alone anyway, or does not mind. */
  keysOf(index: TriggerIndex, script: ScriptVersion): OrderKeys | undefined {
    const order = this.orderOf(script);
    if (order === 'none' || this.options.processing.tenantConcurrency === 1 || !this.asks(index)) return undefined;
    const { tenant, ordered } = this.askedIn(index);
    return { apart: order === 'tenant' ? tenant : [], sameRecord: ordered };
  }

  /** Whether the host lets every tenant's actions run side by side: then nothing a script says changes that. */
  private get always(): boolean {
    return this.options.processing.order !== 'tenant';
  }

  private orderOf({ order }: ScriptVersion): Order {
    return order ?? this.options.processing.order;
  }

  private asks(index: TriggerIndex): boolean {
    if (this.always) return true;
    const { wide, wideAt } = this.look(index);
    return wide === true || performance.now() - wideAt < SETTLE_MS;
  }

  private look(index: TriggerIndex): Known {
    const known = this.knownOf(index.tenantId);
    known.wide = this.askedIn(index).wide;
    if (known.wide) known.wideAt = performance.now();
    return known;
  }

  private askedIn(index: TriggerIndex): Asked {
    const known = this.asked.get(index);
    if (known) return known;
    const orders = index.scripts.map((script) => ({ ...script, order: this.orderOf(script) }));
    const idsOf = (list: typeof orders): string[] => list.map(({ scriptId }) => scriptId);
    const asked = {
      wide: orders.some(({ enabled, order }) => enabled && order !== 'tenant'),
      tenant: idsOf(orders.filter(({ order }) => order === 'tenant')),
      ordered: idsOf(orders.filter(({ order }) => order !== 'none')),
    };
    this.asked.set(index, asked);
    return asked;
  }

  private knownOf(tenantId: string): Known {
    return this.known.get(tenantId, () => ({ wide: undefined, wideAt: Number.NEGATIVE_INFINITY }));
  }

  private async read(tenantId: string): Promise<void> {
    const lease = await this.tenancy.lease(tenantId);
    try {
      this.look(await this.registry.load(lease));
    } finally {
      lease.release();
    }
  }
}
