import { describeValue, SandboxError } from './sandbox-error.js';

/** The admin API was mounted without a guard: whoever reaches it would rule every tenant's scripts. */
export class MissingAdminGuardError extends SandboxError {
  readonly code = 'SANDBOX_MISSING_ADMIN_GUARD';
  constructor(given?: unknown) {
    const what = given === undefined ? 'has no guard' : `cannot be guarded by ${describeValue(given)}`;
    super(
      `SandboxAdminModule ${what}, and without one anybody could deploy scripts for every tenant: give it one, as in SandboxAdminModule.forRoot({ guard: AdminGuard }).`,
    );
  }
}

/** A request to the admin API that does not say for which tenant it is. */
export class MissingTenantError extends SandboxError {
  readonly code = 'SANDBOX_MISSING_TENANT';
  constructor(header: string) {
    super(`The request names no tenant: send the header "${header}".`, { header });
  }
}
