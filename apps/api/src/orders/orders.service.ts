import { Injectable } from '@nestjs/common';
import { TenantDataSources } from 'nestjs-sandbox';
import { Customer, Order } from 'shop';
import type { EntityManager } from 'typeorm';
import { badRequest, notFound } from '../problem.js';
import type { Caller } from '../tenants/tenant.decorator.js';
import { amountText } from './amount.js';
import type { ChangeOrderDto, CreateOrderDto } from './orders.dto.js';

/** The tenants' orders. What scripts make of them is none of its business. */
@Injectable()
export class OrdersService {
  constructor(private readonly tenants: TenantDataSources) {}

  create(caller: Caller, { customerId, amount }: CreateOrderDto): Promise<Order> {
    return this.within(caller, async (manager) => {
      if (!(await manager.existsBy(Customer, { id: customerId }))) {
        throw notFound('CUSTOMER_NOT_FOUND', `There is no customer ${customerId} to order anything.`);
      }
      const order = manager.create(Order, { customerId, amount: amountText(amount), status: 'open' });
      return manager.save(order);
    });
  }

  get(caller: Caller, id: string): Promise<Order> {
    return this.within(caller, (manager) => find(manager, id));
  }

  /** Changes what the body names. The row is locked meanwhile: two changes at once both count. */
  change(caller: Caller, id: string, { amount, status }: ChangeOrderDto): Promise<Order> {
    if (amount === undefined && status === undefined) {
      throw badRequest('NOTHING_TO_CHANGE', 'The body changes nothing: send amount, status or both.');
    }
    return this.within(caller, (manager) =>
      manager.transaction(async (transaction) => {
        const order = await find(transaction, id, { mode: 'pessimistic_write' });
        if (amount !== undefined) order.amount = amountText(amount) as string;
        if (status !== undefined) order.status = status;
        return transaction.save(order);
      }),
    );
  }

  async delete(caller: Caller, id: string): Promise<void> {
    await this.within(caller, async (manager) => manager.remove(await find(manager, id)));
  }

  private within<T>({ tenantId, userId }: Caller, work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.tenants.run(tenantId, { userId }, (dataSource) => work(dataSource.manager));
  }
}

/** Rejects with 404 where the tenant has no such order. */
async function find(manager: EntityManager, id: string, lock?: { mode: 'pessimistic_write' }): Promise<Order> {
  const order = await manager.findOne(Order, { where: { id }, ...(lock && { lock }) });
  if (!order) throw notFound('ORDER_NOT_FOUND', `There is no order ${id}.`);
  return order;
}
