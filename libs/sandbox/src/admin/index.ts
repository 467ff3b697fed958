// nestjs-sandbox/admin: the tenants' scripts and actions over HTTP.

// Mounting
export { SandboxAdminModule } from './admin.module.js';
export type {
  AdminGuard,
  AdminMounting,
  AdminRequest,
  AdminSettings,
  AdminSettingsFactory,
  SandboxAdminAsyncOptions,
  SandboxAdminOptions,
} from './admin-options.js';

// Errors
export { MissingAdminGuardError, MissingTenantError } from '../errors/admin.errors.js';
