import { Inject, Module, type OnModuleDestroy } from '@nestjs/common';
import { SandboxEvents } from '../../events/sandbox-events.js';
import { QUEUE_BACKEND, type QueueBackend } from '../../queue/queue-backend.js';
import { SANDBOX_OPTIONS, type SandboxOptions } from '../../sandbox.options.js';
import { TENANCY, type Tenancy } from '../../tenancy/tenancy.js';
import { HostLimits } from './host-limits.js';
import { QueueTurns } from './queue-turns.js';
import { TenantOrders } from './tenant-orders.js';
import { TURNS, type Turns } from './turns.js';

/** Stage 4: decides which tenant is served next. The consumer starts it; it stops and drains with the module. */
@Module({
  providers: [
    TenantOrders,
    {
      provide: TURNS,
      inject: [SANDBOX_OPTIONS, QUEUE_BACKEND, TENANCY, SandboxEvents, TenantOrders],
      useFactory: (
        { processing }: SandboxOptions,
        queue: QueueBackend,
        tenancy: Tenancy,
        events: SandboxEvents,
        orders: TenantOrders,
      ): Turns => {
        const limits = new HostLimits(processing, events);
        return new QueueTurns(
          queue,
          {
            concurrency: processing.concurrency,
            prepare: (tenantId) => orders.prepare(tenantId),
            tenantConcurrency: (tenantId) => orders.concurrency(tenantId),
            tenantWeight: (tenantId) => limits.weight(tenantId),
            tenantRate: (tenantId) => limits.rate(tenantId),
            tenants: () => tenancy.tenants(),
          },
          events,
        );
      },
    },
  ],
  exports: [TURNS, TenantOrders],
})
export class TurnsModule implements OnModuleDestroy {
  constructor(
    @Inject(TURNS) private readonly turns: Turns,
    @Inject(SANDBOX_OPTIONS) private readonly options: SandboxOptions,
  ) {}

  async onModuleDestroy(): Promise<void> {
    await this.turns.stop(this.options.processing.drainMs);
  }
}
