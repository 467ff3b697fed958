// How a host configures the module: every form, and what a wrong configuration says at boot.
import { BullModule } from '@nestjs/bullmq';
import { type DynamicModule, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  databasePerTenant,
  QUEUE_BACKEND,
  type QueueBackend,
  SANDBOX_OPTIONS,
  SandboxModule,
  type SandboxModuleOptions,
  type SandboxOptionsFactory,
  ScriptsService,
} from 'nestjs-sandbox';
import { ensureTenantDatabase, tenantDataSourceOptions } from 'shop';
import { dropTenants, tenantNames } from './shop-tenants.js';

const redis = process.env.TEST_REDIS_URL as string;
const server = process.env.TEST_DATABASE_URL as string;

describe('SandboxModule', () => {
  const [acme] = tenantNames();
  const prefix = `module-${acme}`;
  beforeAll(() => ensureTenantDatabase(server, acme));
  afterAll(() => dropTenants(server, [acme]));

  const options = (more: Partial<SandboxModuleOptions> = {}): SandboxModuleOptions => ({
    tenancy: databasePerTenant({
      tenants: [acme],
      dataSource: (tenantId: string) => tenantDataSourceOptions(server, tenantId),
    }),
    queue: { connection: { url: redis }, prefix },
    ...more,
  });

  /** Boots an application with the module, deploys a script in it, and shuts it down. */
  async function boots(sandbox: DynamicModule, ...others: DynamicModule[]) {
    const app = await NestFactory.createApplicationContext(
      { module: class Host {}, imports: [...others, sandbox] },
      { logger: false, abortOnError: false },
    );
    try {
      await app.get(ScriptsService).deploy(acme, { name: 'boot', entity: 'order', on: ['create'], source: '1' });
      return { options: app.get(SANDBOX_OPTIONS), backend: app.get<QueueBackend>(QUEUE_BACKEND) };
    } finally {
      await app.close();
    }
  }

  @Injectable()
  class Factory implements SandboxOptionsFactory {
    createSandboxOptions() {
      return options({ limits: { queries: 7 } });
    }
  }
  @Module({ providers: [Factory], exports: [Factory] })
  class FactoryModule {}

  it('takes its options at once', async () => {
    expect((await boots(SandboxModule.forRoot(options()))).options.limits.queries).toBe(100);
  });

  it('takes them from a factory, from a class it makes, and from one that exists', async () => {
    const imports = [FactoryModule];
    const forms = [
      SandboxModule.forRootAsync({
        imports,
        inject: [Factory],
        useFactory: (factory: Factory) => factory.createSandboxOptions(),
      }),
      SandboxModule.forRootAsync({ useClass: Factory }),
      SandboxModule.forRootAsync({ imports, useExisting: Factory }),
    ];
    for (const form of forms) expect((await boots(form)).options.limits.queries).toBe(7);
  });

  it('stands in two applications of one process', async () => {
    const [first, second] = await Promise.all([
      boots(SandboxModule.forRoot(options())),
      boots(SandboxModule.forRoot(options())),
    ]);
    expect(first.backend).not.toBe(second.backend);
  });

  it("uses the queue of the host's BullModule where it is given none", async () => {
    const { queue: _none, ...rest } = options();
    const bull = BullModule.forRoot({ connection: { url: redis }, prefix });
    expect((await boots(SandboxModule.forRoot(rest), bull)).backend.kind).toBe('redis');
  });

  it.each([
    ['a limit that is text', { limits: { cpuMs: '1s' } }, /limits\.cpuMs/],
    ['a misspelt option', { engin: 'quickjs' }, /engin.*engine/],
    ['an engine that does not exist', { engine: 'v8' }, /engine/],
    ['a negative number of threads', { processing: { threads: -1 } }, /processing\.threads/],
    ['a flag from the environment', { processing: { enabled: 'false' } }, /processing\.enabled/],
    ['no tenancy', { tenancy: undefined }, /tenancy/],
  ])('refuses %s at boot, naming the option', async (_what, wrong, message) => {
    await expect(boots(SandboxModule.forRoot(options(wrong as never)))).rejects.toMatchObject({
      code: expect.stringMatching(/^SANDBOX_/),
      message: expect.stringMatching(message),
    });
  });

  it('freezes the options', async () => {
    const { options: resolved } = await boots(SandboxModule.forRoot(options()));
    expect(() => ((resolved.limits as { cpuMs: number }).cpuMs = 1)).toThrow(TypeError);
  });
});
