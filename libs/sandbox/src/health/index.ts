// nestjs-sandbox/health: indicators for @nestjs/terminus.
export { SandboxHealthModule } from './health.module.js';
export {
  SandboxHealthIndicator,
  type PoolHealthOptions,
  type QueueHealthOptions,
  type RelayHealthOptions,
} from './sandbox-health.indicator.js';
