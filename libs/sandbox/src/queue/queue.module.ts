import { Inject, Module, type OnApplicationShutdown, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { QueueUnavailableError } from '../errors/queue.errors.js';
import { SandboxEvents } from '../events/sandbox-events.js';
import { SANDBOX_OPTIONS, type SandboxOptions } from '../sandbox.options.js';
import { BULL_SHARED_CONFIG, createQueueBackend, type HostBullConfig } from './create-queue-backend.js';
import { QUEUE_BACKEND, type QueueBackend } from './queue-backend.js';

/** Milliseconds between two attempts to start a queue whose server was away when the process started. */
const START_AGAIN_MS = 2_000;

/**
 * Provides the `QueueBackend`. A queue that is away does not keep the application from starting: actions are safe in the
 * tenants' databases, and the module goes on connecting. Any other fault of the queue ends the start.
 */
@Module({
  providers: [
    {
      provide: QUEUE_BACKEND,
      inject: [SANDBOX_OPTIONS, { token: BULL_SHARED_CONFIG, optional: true }],
      useFactory: (options: SandboxOptions, host?: HostBullConfig): QueueBackend =>
        createQueueBackend(options.queue, host),
    },
  ],
  exports: [QUEUE_BACKEND],
})
export class QueueModule implements OnModuleInit, OnModuleDestroy, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private closing = false;

  constructor(
    @Inject(QUEUE_BACKEND) private readonly queue: QueueBackend,
    private readonly events: SandboxEvents,
  ) {}

  async onModuleInit(): Promise<void> {
    try {
      await this.queue.start();
    } catch (error) {
      if (!(error instanceof QueueUnavailableError)) throw error;
      this.events.emit('background.error', { where: 'queue', error });
      this.startAgain();
    }
  }

  onModuleDestroy(): void {
    this.closing = true;
    clearTimeout(this.timer);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.queue.close();
  }

  private startAgain(): void {
    if (this.closing) return;
    this.timer = setTimeout(() => void this.queue.start().catch(() => this.startAgain()), START_AGAIN_MS);
    this.timer.unref();
  }
}
