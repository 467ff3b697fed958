import { type DynamicModule, Module } from '@nestjs/common';
import { SandboxModule } from 'nestjs-sandbox';
import { SandboxAdminModule } from 'nestjs-sandbox/admin';
import { type ApiEnvironment, shopQueue, shopTelemetry, shopTenancy } from 'shop';
import { OperationsModule } from 'shop/operations';
import { AdminGuard } from './admin/admin.guard.js';
import { AdminToken } from './admin/admin-token.js';
import { CustomersController } from './customers/customers.controller.js';
import { CustomersService } from './customers/customers.service.js';
import { API_ENVIRONMENT } from './environment.token.js';
import { OrdersController } from './orders/orders.controller.js';
import { OrdersService } from './orders/orders.service.js';
import { QueuesModule } from './queues/queues.module.js';

/** The api: it writes entities, so it captures; it serves no queue. */
@Module({})
export class AppModule {
  static forRoot(environment: ApiEnvironment): DynamicModule {
    return {
      module: AppModule,
      global: true,
      imports: [
        SandboxModule.forRoot({
          tenancy: shopTenancy(environment),
          queue: shopQueue(environment),
          telemetry: shopTelemetry,
        }),
        SandboxAdminModule.forRoot({ guard: AdminGuard }),
        QueuesModule,
        OperationsModule.forRoot(),
      ],
      controllers: [CustomersController, OrdersController],
      providers: [{ provide: API_ENVIRONMENT, useValue: environment }, AdminToken, CustomersService, OrdersService],
      exports: [API_ENVIRONMENT, AdminToken],
    };
  }
}
