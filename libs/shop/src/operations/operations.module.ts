import { type DynamicModule, Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { SandboxHealthModule } from 'nestjs-sandbox/health';
import { SandboxMetricsModule } from 'nestjs-sandbox/metrics';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { HealthController } from './health.controller.js';
import { MetricsController } from './metrics.controller.js';

/** What an operator asks a process of the shop: `GET /health`, `/health/live` and `/metrics`. */
@Module({})
export class OperationsModule {
  /** With a registry of its own, which also counts what Node does. */
  static forRoot(): DynamicModule {
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    return {
      module: OperationsModule,
      imports: [TerminusModule.forRoot(), SandboxHealthModule, SandboxMetricsModule.forRoot({ registry })],
      controllers: [HealthController, MetricsController],
      providers: [{ provide: Registry, useValue: registry }],
    };
  }
}
