// The module as an application uses it: writes through TenantDataSources and through the host's own DataSource arrive
// in the tenants' queues on a real Redis.
import { randomBytes } from 'node:crypto';
import { Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { DataSource } from 'typeorm';
import { QUEUE_BACKEND, type QueueBackend } from '../../libs/sandbox/src/queue/queue-backend.js';
import { SandboxModule } from '../../libs/sandbox/src/sandbox.module.js';
import { SCRIPT_REGISTRY } from '../../libs/sandbox/src/scripts/script-registry.js';
import { SandboxContext } from '../../libs/sandbox/src/tenancy/sandbox-context.js';
import { databasePerTenant } from '../../libs/sandbox/src/tenancy/database-per-tenant.js';
import { TenantDataSources } from '../../libs/sandbox/src/tenancy/tenant-data-sources.js';
import { ListedScripts } from '../support/capture-fixture.js';
import { createDatabase } from '../support/postgres.mjs';
import { until } from '../support/processes.mjs';
import { Item, Part } from './capture.entities.js';

describe('SandboxModule', () => {
  let app: TestingModule;
  let url: string;
  const prefix = `t${randomBytes(4).toString('hex')}`;

  beforeAll(async () => {
    url = await createDatabase(process.env['TEST_DATABASE_URL'] as string, `module_${randomBytes(6).toString('hex')}`);
    const options = { type: 'postgres' as const, url, entities: [Item, Part] };
    const host = { provide: 'HOST', useFactory: () => new DataSource({ ...options, synchronize: true }).initialize() };
    @Module({ providers: [host], exports: [host] })
    class HostModule {}
    app = await Test.createTestingModule({
      imports: [
        SandboxModule.forRoot({
          tenancy: databasePerTenant({ tenants: ['acme'], dataSource: () => options }),
          queue: { connection: { url: process.env['TEST_REDIS_URL'] as string }, prefix },
        }),
        HostModule,
      ],
    })
      .overrideProvider(SCRIPT_REGISTRY)
      .useValue(new ListedScripts(new Set(['item:create'])))
      .compile();
    await app.init();
  });
  afterAll(async () => {
    await app.get<DataSource>('HOST').destroy();
    await app.close();
  });

  const queued = async () => {
    const backend = app.get<QueueBackend>(QUEUE_BACKEND);
    const jobs = await backend.queue('acme').getJobs(['waiting', 'prioritized', 'delayed', 'active']);
    return jobs.map(({ data }) => String(data.change?.record['name'])).sort((a, b) => a.localeCompare(b));
  };

  it('takes writes of tenants to their queues', async () => {
    await app
      .get(TenantDataSources)
      .run('acme', { userId: 'u' }, (dataSource) => dataSource.getRepository(Item).save({ name: 'tenant' }));
    const host = app.get<DataSource>('HOST');
    await SandboxContext.run({ tenantId: 'acme' }, () => host.getRepository(Item).insert({ name: 'host' }));
    await until(async () => (await queued()).length === 2);
    expect(await queued()).toEqual(['host', 'tenant']);
  });
});
