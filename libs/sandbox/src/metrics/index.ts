// nestjs-sandbox/metrics: what the library does, as prom-client metrics.
export { SandboxMetricsModule, type SandboxMetricsModuleOptions } from './metrics.module.js';
export { collectSandboxMetrics, type SandboxMetricsOptions } from './sandbox-metrics.js';
