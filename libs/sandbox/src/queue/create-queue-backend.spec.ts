// Which backend the `queue` option and the host's BullMQ configuration ask for.
import { BullModule, getSharedConfigToken } from '@nestjs/bullmq';
import { Global, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { SandboxEvents } from '../events/sandbox-events.js';
import { SANDBOX_OPTIONS } from '../sandbox.options.js';
import { BULL_SHARED_CONFIG, createQueueBackend } from './create-queue-backend.js';
import { QUEUE_BACKEND, type QueueBackend } from './queue-backend.js';
import { QueueModule } from './queue.module.js';

const redis = { url: process.env['TEST_REDIS_URL'] as string };

function appWith(queue: unknown, ...imports: never[]) {
  @Global()
  @Module({
    providers: [SandboxEvents, { provide: SANDBOX_OPTIONS, useValue: { queue } }],
    exports: [SandboxEvents, SANDBOX_OPTIONS],
  })
  class Host {}
  return Test.createTestingModule({ imports: [Host, ...imports, QueueModule] }).compile();
}

describe('createQueueBackend', () => {
  it('picks the backend that the option names', () => {
    expect(createQueueBackend({ connection: redis }).kind).toBe('redis');
    expect(createQueueBackend({ backend: 'postgres', connection: 'postgres://localhost/x' }).kind).toBe('postgres');
  });

  it('falls back to the host’s connection', () => {
    expect(createQueueBackend(undefined, { connection: redis }).kind).toBe('redis');
  });

  it('names the option where there is no connection', () => {
    const missing = { code: 'SANDBOX_QUEUE_NOT_CONFIGURED', message: expect.stringContaining('"queue.connection"') };
    expect(() => createQueueBackend(undefined)).toThrow(expect.objectContaining(missing));
    expect(() => createQueueBackend({}, {})).toThrow(expect.objectContaining(missing));
    expect(() => createQueueBackend({ backend: 'postgres' } as never)).toThrow(expect.objectContaining(missing));
  });

  it('refuses an unknown backend and a prefix that cannot be part of a key or a schema', () => {
    const bad = { code: 'SANDBOX_INVALID_QUEUE_OPTION' };
    const connection = redis;
    expect(() => createQueueBackend({ backend: 'kafka', connection } as never)).toThrow(expect.objectContaining(bad));
    expect(() => createQueueBackend({ connection, prefix: 'a{b}' })).toThrow(expect.objectContaining(bad));
    const schema = { backend: 'postgres', connection: 'postgres://localhost/x', prefix: 'a"b' } as const;
    expect(() => createQueueBackend(schema)).toThrow(expect.objectContaining(bad));
  });

  it('reads the host’s configuration under the token that @nestjs/bullmq uses', () => {
    expect(BULL_SHARED_CONFIG).toBe(getSharedConfigToken());
  });
});

describe('QueueModule', () => {
  it('connects as the host’s BullModule.forRoot() says, and closes with the application', async () => {
    const app = await appWith({ prefix: 'module-spec' }, BullModule.forRoot({ connection: redis }) as never);
    await app.init();
    const queue = app.get<QueueBackend>(QUEUE_BACKEND);
    expect(await queue.withWork(['acme'])).toEqual([]);
    await app.close();
    await expect(queue.withWork(['acme'])).rejects.toThrow();
  });

  it('takes a configuration that is made asynchronously', async () => {
    const shared = BullModule.forRootAsync({ useFactory: async () => ({ connection: redis }) });
    const app = await appWith({ prefix: 'module-spec' }, shared as never);
    await app.init();
    expect(await app.get<QueueBackend>(QUEUE_BACKEND).withWork(['acme'])).toEqual([]);
    await app.close();
  });

  it('does not start without any configuration', async () => {
    await expect(appWith({})).rejects.toMatchObject({ code: 'SANDBOX_QUEUE_NOT_CONFIGURED' });
  });
});
