import { BullMQOtel } from 'bullmq-otel';
import { databasePerTenant, type QueueOptions, type Tenancy } from 'nestjs-sandbox';
import type { ShopEnvironment } from './environment.js';
import { ensureTenantDatabase, tenantDataSourceOptions } from './tenant-database.js';

/** A database per tenant, made ready when it is first opened. */
export function shopTenancy({ databaseUrl, tenants }: ShopEnvironment): Tenancy {
  const prepared = new Set<string>();
  return databasePerTenant({
    tenants,
    dataSource: async (tenantId) => {
      if (!prepared.has(tenantId)) await ensureTenantDatabase(databaseUrl, tenantId);
      prepared.add(tenantId);
      return tenantDataSourceOptions(databaseUrl, tenantId);
    },
  });
}

/** Traces go to the OpenTelemetry SDK that the process was started with (`node --import ...`); nowhere without one. */
export const shopTelemetry = new BullMQOtel({ tracerName: 'shop' });

/** The tenants' queues: on Redis where there is one, else beside the data. */
export function shopQueue({ databaseUrl, redisUrl }: ShopEnvironment): QueueOptions {
  return redisUrl ? { connection: { url: redisUrl } } : { backend: 'postgres', connection: databaseUrl };
}
