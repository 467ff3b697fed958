import { InvalidQueueOptionError, QueueNotConfiguredError } from '../errors/queue.errors.js';
import type { QueueOptions } from '../sandbox.options.js';
import { createPostgresQueueBackend } from './postgres/postgres-queue-backend.js';
import type { QueueBackend } from './queue-backend.js';
import { createRedisQueueBackend } from './redis/redis-queue-backend.js';
import type { RedisConnectionOption } from './redis/redis-connections.js';

/** The part of the host's `BullModule.forRoot(...)` options that says where its queues are. */
export interface HostBullConfig {
  readonly connection?: unknown;
  readonly prefix?: string;
}

/**
 * Token of the options that a host gave to `BullModule.forRoot()`: what `getSharedConfigToken()` of `@nestjs/bullmq` 11
 * and 12 returns. Written out so that the library works where that package is not installed; a test compares them.
 */
export const BULL_SHARED_CONFIG = 'BULLMQ_CONFIG(default)';

/**
 * Makes the backend that the `queue` option asks for. Without a connection there it uses the host's BullMQ configuration;
 * without that either it throws `QueueNotConfiguredError`.
 */
export function createQueueBackend(options: QueueOptions | undefined, host?: HostBullConfig): QueueBackend {
  const backend = options?.backend ?? 'redis';
  if (backend !== 'redis' && backend !== 'postgres')
    throw new InvalidQueueOptionError('queue.backend', backend, 'use "redis" or "postgres"');
  const prefix = options?.prefix === undefined ? {} : { prefix: options.prefix };
  if (options?.backend === 'postgres') {
    if (!options.connection) throw new QueueNotConfiguredError('"queue.backend" is "postgres" without a connection');
    return createPostgresQueueBackend({ connection: options.connection, ...prefix });
  }
  const connection = (options?.connection ?? host?.connection) as RedisConnectionOption | undefined;
  if (!connection)
    throw new QueueNotConfiguredError(host ? 'BullModule.forRoot() has no connection' : 'no option, no BullModule');
  return createRedisQueueBackend({ connection, ...prefix });
}
