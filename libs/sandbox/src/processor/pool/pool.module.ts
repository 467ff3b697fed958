import { type BeforeApplicationShutdown, Inject, Module } from '@nestjs/common';
import { SANDBOX_OPTIONS, type SandboxOptions } from '../../sandbox.options.js';
import { createScriptPool } from './create-pool.js';
import { SCRIPT_POOL, type ScriptPool } from './script-pool.js';

/**
 * Stage 6: the threads. None is started before the first run, so a process that only writes entities has none. They end
 * after the turns have drained and before connections close.
 */
@Module({
  providers: [
    {
      provide: SCRIPT_POOL,
      inject: [SANDBOX_OPTIONS],
      useFactory: ({ processing, engine }: SandboxOptions): ScriptPool =>
        createScriptPool({ threads: processing.threads, engine }),
    },
  ],
  exports: [SCRIPT_POOL],
})
export class PoolModule implements BeforeApplicationShutdown {
  constructor(
    @Inject(SCRIPT_POOL) private readonly pool: ScriptPool,
    @Inject(SANDBOX_OPTIONS) private readonly options: SandboxOptions,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    await this.pool.close(this.options.processing.drainMs);
  }
}
