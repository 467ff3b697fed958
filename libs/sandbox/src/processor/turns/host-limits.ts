import { describeValue } from '../../errors/sandbox-error.js';
import { InvalidOptionError } from '../../errors/options.errors.js';
import type { SandboxEvents } from '../../events/sandbox-events.js';
import type { SandboxOptions, TenantRate } from '../../sandbox.options.js';

/** Complaints that are remembered, so that each is made once. */
const MOST_COMPLAINTS = 1_000;

/** What the host's `tenantWeight` and `tenantRate` say, checked: a slip for one tenant is reported, and stops nobody. */
export class HostLimits {
  private readonly complaints = new Set<string>();

  constructor(
    private readonly options: SandboxOptions['processing'],
    private readonly events: SandboxEvents,
  ) {}

  /** The tenant's weight; 1 where the host's answer makes no sense. */
  weight(tenantId: string): number {
    const weight = this.ask('tenantWeight', tenantId);
    if (typeof weight === 'number' && weight > 0 && Number.isFinite(weight)) return weight;
    if (weight !== undefined) this.complain('tenantWeight', tenantId, 'a number above 0', weight);
    return 1;
  }

  /** The tenant's rate limit; none where the host's answer makes no sense. */
  rate(tenantId: string): TenantRate | undefined {
    const rate = this.ask('tenantRate', tenantId) as Partial<TenantRate> | undefined;
    if (rate === undefined) return undefined;
    const { max, durationMs } = rate ?? {};
    if (Number.isSafeInteger(max) && (max as number) >= 1 && Number.isFinite(durationMs) && (durationMs as number) >= 1)
      return { max: max as number, durationMs: Math.ceil(durationMs as number) };
    const expected = '{ max, durationMs }, whole numbers of at least 1, or undefined';
    return this.complain('tenantRate', tenantId, expected, rate);
  }

  private ask(name: 'tenantWeight' | 'tenantRate', tenantId: string): unknown {
    try {
      return this.options[name](tenantId);
    } catch (error) {
      return this.complain(name, tenantId, 'an answer', undefined, error);
    }
  }

  private complain(name: string, tenantId: string, expected: string, got: unknown, cause?: unknown): undefined {
    const path = `processing.${name}("${tenantId}")`;
    if (this.complaints.has(path) || this.complaints.size >= MOST_COMPLAINTS) return undefined;
    this.complaints.add(path);
    const said =
      cause === undefined
        ? `got ${describeValue(got)}`
        : `but it threw ${cause instanceof Error ? String(cause) : describeValue(cause)}`;
    const error = new InvalidOptionError(path, `expected ${expected}, ${said}. It counts as left out`, got);
    this.events.emit('background.error', { where: 'turns', tenantId, error });
    return undefined;
  }
}
