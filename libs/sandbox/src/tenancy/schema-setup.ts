import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { assertMigrated, migrate } from '../records/migrator.js';
import { SANDBOX_OPTIONS, type SandboxOptions } from '../sandbox.options.js';
import { TENANCY, type Tenancy } from './tenancy.js';

/**
 * Sees to it that a tenant's database has the library's tables before anybody uses it, and closes the tenants' databases
 * last of all: in `onApplicationShutdown`, when loops have drained and threads have ended.
 */
@Injectable()
export class SchemaSetup implements OnApplicationShutdown {
  constructor(
    @Inject(TENANCY) private readonly tenancy: Tenancy,
    @Inject(SANDBOX_OPTIONS) options: SandboxOptions,
  ) {
    tenancy.onOpen(({ sql }) => (options.migrate ? migrate(sql) : assertMigrated(sql)));
  }

  onApplicationShutdown(): Promise<void> {
    return this.tenancy.close();
  }
}
