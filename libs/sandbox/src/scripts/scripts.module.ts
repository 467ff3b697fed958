import { Module } from '@nestjs/common';
import { DeploymentAnnouncer } from './deployment-announcer.js';
import { SCRIPT_REGISTRY } from './script-registry.js';
import { ScriptRegistryService } from './script-registry.service.js';
import { ScriptsService } from './scripts.service.js';

/**
 * The tenants' programs. Takes `TENANCY`, `SANDBOX_OPTIONS`, `QUEUE_BACKEND`, `SCRIPT_COMPILER`, `SandboxEvents` and,
 * where there is a pool, `DRY_RUNNER` from global providers.
 */
@Module({
  providers: [
    ScriptRegistryService,
    { provide: SCRIPT_REGISTRY, useExisting: ScriptRegistryService },
    DeploymentAnnouncer,
    ScriptsService,
  ],
  exports: [ScriptRegistryService, SCRIPT_REGISTRY, ScriptsService],
})
export class ScriptsModule {}
