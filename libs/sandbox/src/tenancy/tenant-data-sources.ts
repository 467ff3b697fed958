import { Inject, Injectable } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { SandboxContext, type SandboxContextValues } from './sandbox-context.js';
import { TENANCY, type Tenancy } from './tenancy.js';

/** The host's own way to its tenants' databases: the DataSources that the tenancy opens, shares and closes. */
@Injectable()
export class TenantDataSources {
  constructor(@Inject(TENANCY) private readonly tenancy: Tenancy) {}

  /**
   * Runs `fn` with the tenant's DataSource, inside `SandboxContext.run({ tenantId, userId })`. The database stays open
   * until what `fn` returns has settled. Rejects with `InvalidTenantIdError` or `UnknownTenantError`.
   */
  run<T>(tenantId: string, fn: (dataSource: DataSource) => T): Promise<Awaited<T>>;
  run<T>(
    tenantId: string,
    values: Pick<SandboxContextValues, 'userId'>,
    fn: (dataSource: DataSource) => T,
  ): Promise<Awaited<T>>;
  async run<T>(
    tenantId: string,
    values: Pick<SandboxContextValues, 'userId'> | ((dataSource: DataSource) => T),
    fn?: (dataSource: DataSource) => T,
  ): Promise<Awaited<T>> {
    const work = typeof values === 'function' ? values : (fn as (dataSource: DataSource) => T);
    const userId = typeof values === 'function' ? undefined : values.userId;
    const lease = await this.tenancy.lease(tenantId);
    try {
      return await SandboxContext.run({ tenantId, userId }, () => work(lease.dataSource));
    } finally {
      lease.release();
    }
  }
}
