import { Global, Module } from '@nestjs/common';
import { SandboxEvents } from './events/sandbox-events.js';
import { ProducerModule } from './producer/producer.module.js';
import { QueueModule } from './queue/queue.module.js';
import { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } from './sandbox.module-definition.js';
import { SANDBOX_OPTIONS, type SandboxModuleOptions, type SandboxOptions } from './sandbox.options.js';
import { resolveOptions } from './sandbox.options.resolve.js';
import { CompilerModule } from './scripts/compiler/compiler.module.js';
import { ScriptsModule } from './scripts/scripts.module.js';
import { TENANCY } from './tenancy/tenancy.js';
import { TenancyModule } from './tenancy/tenancy.module.js';

/**
 * Lets tenants run their own scripts when entities change. Configure it once with `forRoot` or `forRootAsync`; the same
 * module serves the process that writes entities (`capture`) and the one that runs scripts (`processing`), or both.
 *
 * The stages are imported in the order that a change passes them.
 */
@Global()
@Module({
  imports: [TenancyModule, QueueModule, CompilerModule, ScriptsModule, ProducerModule],
  providers: [
    {
      provide: SANDBOX_OPTIONS,
      inject: [MODULE_OPTIONS_TOKEN],
      useFactory: (options: SandboxModuleOptions) => resolveOptions(options),
    },
    { provide: TENANCY, inject: [SANDBOX_OPTIONS], useFactory: (options: SandboxOptions) => options.tenancy },
    SandboxEvents,
  ],
  exports: [
    SANDBOX_OPTIONS,
    TENANCY,
    SandboxEvents,
    TenancyModule,
    QueueModule,
    CompilerModule,
    ScriptsModule,
    ProducerModule,
  ],
})
export class SandboxModule extends ConfigurableModuleClass {}
