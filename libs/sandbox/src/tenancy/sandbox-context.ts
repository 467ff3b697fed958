import { AsyncLocalStorage } from 'node:async_hooks';
import { assertTenantId } from './tenant-id.js';

/** Who acts, for whom: taken over by every write of a watched entity made inside `SandboxContext.run`. */
export interface SandboxContextValues {
  /** The tenant, where the tenancy does not already fix it by the DataSource. */
  readonly tenantId?: string;
  /** The user the write is made for: `context.userId` in scripts. */
  readonly userId?: string | null;
  /**
   * Set by the library while one of the host's services works for a script: `depth` of the script's run, and the action
   * it runs for. A write made there counts as the script's own.
   */
  readonly chain?: { readonly depth: number; readonly actionId: string };
}

const storage = new AsyncLocalStorage<SandboxContextValues>();

/** Carries tenant and user of the current request to the writes it makes (AsyncLocalStorage). */
export class SandboxContext {
  /**
   * Runs `fn` with these values. Values not given are those of the surrounding run, unless the tenant changes: nothing
   * of one tenant's user may reach another. Throws `InvalidTenantIdError`.
   */
  static run<T>(values: SandboxContextValues, fn: () => T): T {
    if (values.tenantId !== undefined) assertTenantId(values.tenantId);
    const outer = storage.getStore();
    const inherits = outer && (values.tenantId === undefined || values.tenantId === outer.tenantId);
    return storage.run(Object.freeze({ ...(inherits ? outer : {}), ...defined(values) }), fn);
  }

  /** The values of the innermost `run` around the caller; empty outside of one. */
  static current(): SandboxContextValues {
    return storage.getStore() ?? NOTHING;
  }

  /** Runs `fn` without any values: for background work, which must not inherit a request's tenant and user. */
  static exit<T>(fn: () => T): T {
    return storage.exit(fn);
  }
}

const NOTHING: SandboxContextValues = Object.freeze({});

function defined(values: SandboxContextValues): SandboxContextValues {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
