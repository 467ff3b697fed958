import { type DynamicModule, Inject, Injectable, Module, type OnModuleDestroy, Optional } from '@nestjs/common';
import { register, type Registry } from 'prom-client';
import { SandboxEvents } from '../events/sandbox-events.js';
import { SCRIPT_POOL, type ScriptPool } from '../processor/pool/script-pool.js';
import { QUEUE_BACKEND, type QueueBackend } from '../queue/queue-backend.js';
import { TENANCY, type Tenancy } from '../tenancy/tenancy.js';
import { collectSandboxMetrics } from './sandbox-metrics.js';

/** What `SandboxMetricsModule.forRoot` takes. */
export interface SandboxMetricsModuleOptions {
  /** Default: the global registry of prom-client. */
  readonly registry?: Registry;
  /** First part of every name. Default `sandbox_`. */
  readonly prefix?: string;
}

const METRICS_OPTIONS = Symbol.for('nestjs-sandbox:metrics-options');

@Injectable()
class SandboxMetrics implements OnModuleDestroy {
  private readonly stop: () => void;

  constructor(
    @Inject(SandboxEvents) events: SandboxEvents,
    @Inject(METRICS_OPTIONS) { registry = register, prefix }: SandboxMetricsModuleOptions,
    @Optional() @Inject(SCRIPT_POOL) pool?: ScriptPool,
    @Optional() @Inject(QUEUE_BACKEND) backend?: QueueBackend,
    @Optional() @Inject(TENANCY) tenancy?: Tenancy,
  ) {
    this.stop = collectSandboxMetrics({
      events,
      registry,
      ...(pool ? { pool } : {}),
      ...(backend && tenancy ? { queue: { backend, tenancy } } : {}),
      ...(prefix === undefined ? {} : { prefix }),
    });
  }

  onModuleDestroy(): void {
    this.stop();
  }
}

/** Counts what the library does in this process, as prom-client metrics. Needs `SandboxModule` beside it. */
@Module({})
export class SandboxMetricsModule {
  /** Registers the metrics. */
  static forRoot(options: SandboxMetricsModuleOptions = {}): DynamicModule {
    return {
      module: SandboxMetricsModule,
      providers: [{ provide: METRICS_OPTIONS, useValue: options }, SandboxMetrics],
    };
  }
}
