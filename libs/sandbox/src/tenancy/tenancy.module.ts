import { Module } from '@nestjs/common';
import { SchemaSetup } from './schema-setup.js';
import { TenantDataSources } from './tenant-data-sources.js';

/** Ways to the tenants' databases, and the library's tables in them. */
@Module({ providers: [SchemaSetup, TenantDataSources], exports: [TenantDataSources] })
export class TenancyModule {}
