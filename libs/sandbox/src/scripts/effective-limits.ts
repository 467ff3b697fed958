import type { Limits } from '../protocol/limits.js';
import type { SandboxOptions } from '../sandbox.options.js';
import { checkLimits } from '../sandbox.options.resolve.js';

/**
 * The limits of one run: the host's, over them the tenant's, over them the script's own, none above the ceiling.
 * Throws `InvalidOptionError` when the host's `tenantLimits` answers with something that is no limit.
 */
export function effectiveLimits(options: SandboxOptions, tenantId: string, own?: Partial<Limits>): Limits {
  const tenant = options.tenantLimits(tenantId);
  const limits: Limits = {
    ...options.limits,
    ...(tenant && checkLimits(`tenantLimits(${JSON.stringify(tenantId)})`, tenant)),
    ...own,
  };
  for (const name of Object.keys(limits) as (keyof Limits)[])
    limits[name] = Math.min(limits[name], options.ceiling[name]);
  return limits;
}
