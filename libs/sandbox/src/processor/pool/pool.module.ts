import { type BeforeApplicationShutdown, Inject, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { SandboxEvents } from '../../events/sandbox-events.js';
import { SANDBOX_OPTIONS, type SandboxOptions } from '../../sandbox.options.js';
import { createScriptPool, type IsolatedPool } from './create-pool.js';
import { SCRIPT_POOL } from './script-pool.js';

/**
 * Stage 6: the threads. A process that serves the queues has one ready when it starts (the first run would wait for it: a
 * tenth of a second and more); one that only writes entities has none. They end after the turns have drained and before
 * connections close.
 */
@Module({
  providers: [
    {
      provide: SCRIPT_POOL,
      inject: [SANDBOX_OPTIONS, SandboxEvents],
      useFactory: ({ processing, engine, isolation }: SandboxOptions, events: SandboxEvents): IsolatedPool =>
        createScriptPool({
          threads: processing.threads,
          engine,
          ...(isolation ? { isolation } : {}),
          onReplaced: (reason, error) => events.emit('thread.replaced', { reason, ...(error ? { error } : {}) }),
        }),
    },
  ],
  exports: [SCRIPT_POOL],
})
export class PoolModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    @Inject(SCRIPT_POOL) private readonly pool: IsolatedPool,
    @Inject(SANDBOX_OPTIONS) private readonly options: SandboxOptions,
  ) {}

  onApplicationBootstrap(): void {
    if (this.options.processing.enabled) this.pool.warm();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.pool.close(this.options.processing.drainMs);
  }
}
