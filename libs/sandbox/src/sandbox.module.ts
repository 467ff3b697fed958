import { Global, Module } from '@nestjs/common';
import { ActionsModule } from './actions/actions.module.js';
import { EventLog } from './events/event-log.js';
import { SandboxEvents } from './events/sandbox-events.js';
import { BridgeModule } from './processor/bridge/bridge.module.js';
import { ConsumerModule } from './processor/consumer/consumer.module.js';
import { MailModule } from './processor/mail/mail.module.js';
import { PoolModule } from './processor/pool/pool.module.js';
import { TurnsModule } from './processor/turns/turns.module.js';
import { ProducerModule } from './producer/producer.module.js';
import { QueueModule } from './queue/queue.module.js';
import { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } from './sandbox.module-definition.js';
import { SANDBOX_OPTIONS, type SandboxModuleOptions, type SandboxOptions } from './sandbox.options.js';
import { resolveOptions } from './sandbox.options.resolve.js';
import { CompilerModule } from './scripts/compiler/compiler.module.js';
import { ScriptsModule } from './scripts/scripts.module.js';
import { TENANCY } from './tenancy/tenancy.js';
import { TenancyModule } from './tenancy/tenancy.module.js';
import { Tracing } from './tracing/tracing.js';

/** The stages in the order that a change passes them, behind what they stand on. */
const STAGES = [
  TenancyModule,
  QueueModule,
  CompilerModule,
  ScriptsModule,
  ProducerModule,
  TurnsModule,
  ConsumerModule,
  PoolModule,
  BridgeModule,
  MailModule,
  ActionsModule,
];

/**
 * Lets tenants run their own scripts when entities change. Configure it once with `forRoot` or `forRootAsync`; the same
 * module serves the process that writes entities (`capture`), the one that runs scripts (`processing`), or both.
 */
@Global()
@Module({
  imports: STAGES,
  providers: [
    {
      provide: SANDBOX_OPTIONS,
      inject: [MODULE_OPTIONS_TOKEN],
      useFactory: (options: SandboxModuleOptions) => resolveOptions(options),
    },
    { provide: TENANCY, inject: [SANDBOX_OPTIONS], useFactory: (options: SandboxOptions) => options.tenancy },
    SandboxEvents,
    EventLog,
    Tracing,
  ],
  exports: [SANDBOX_OPTIONS, TENANCY, SandboxEvents, Tracing, ...STAGES],
})
export class SandboxModule extends ConfigurableModuleClass {}
