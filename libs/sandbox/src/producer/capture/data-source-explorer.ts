import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { SANDBOX_OPTIONS, type SandboxOptions } from '../../sandbox.options.js';
import { belongsToTenancy } from '../../tenancy/database-per-tenant.js';
import { TENANCY, type Tenancy } from '../../tenancy/tenancy.js';
import { Capture } from './capture.js';
import { onInitialize } from './on-initialize.js';

/**
 * Finds the DataSources to watch: every tenant's when it is opened, the host's own among its providers, and those that
 * are initialised later. Watches them where this process writes, or serves: the host's services write for scripts.
 */
@Injectable()
export class DataSourceExplorer implements OnModuleInit, OnApplicationShutdown {
  private stop: (() => void) | undefined;

  constructor(
    @Inject(SANDBOX_OPTIONS) private readonly options: SandboxOptions,
    @Inject(TENANCY) tenancy: Tenancy,
    @Inject(Capture) private readonly capture: Capture,
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
  ) {
    if (this.enabled) tenancy.onOpen(({ dataSource }) => this.capture.attach(dataSource));
  }

  onModuleInit(): void {
    if (!this.enabled) return;
    this.stop = onInitialize((dataSource) => this.attachLater(dataSource));
    for (const { instance } of this.discovery.getProviders()) {
      if (instance instanceof DataSource && instance.isInitialized) this.capture.attach(instance);
    }
  }

  onApplicationShutdown(): void {
    this.stop?.();
  }

  private get enabled(): boolean {
    return this.options.capture.enabled || this.options.processing.enabled;
  }

  /** A DataSource that this application did not announce is none of its boot's business: it is reported, not thrown. */
  private attachLater(dataSource: DataSource): void {
    if (belongsToTenancy(dataSource)) return;
    try {
      this.capture.attach(dataSource);
    } catch (error) {
      new Logger('SandboxModule').error(error instanceof Error ? error.message : error);
    }
  }
}
