// What the demo SaaS's api and processor share: its entities, its tenants' databases, its environment.

export { Customer } from './customer.entity.js';
export { Order, ORDER_STATUSES, type OrderStatus } from './order.entity.js';
export { ensureTenantDatabase, tenantDataSourceOptions, tenantDatabaseUrl } from './tenant-database.js';
export { EnvironmentError, readApiEnvironment, readEnvironment, readProcessorEnvironment } from './environment.js';
export type { ApiEnvironment, ProcessorEnvironment, ShopEnvironment } from './environment.js';
export { runApp } from './run-app.js';
export { shopQueue, shopTelemetry, shopTenancy } from './shop-sandbox.js';
