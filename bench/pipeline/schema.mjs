// The tables of the benchmark: orders that make their customer's total grow. The decorators are applied by hand, for
// there is no TypeScript here; `library` is the nestjs-sandbox whose triggers they get, left out for the rivals.
import 'reflect-metadata';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

export const CUSTOMERS = 200;

export function createEntities(library) {
  class Customer {}
  PrimaryGeneratedColumn()(Customer.prototype, 'id');
  Column('text')(Customer.prototype, 'name');
  Column('numeric', { precision: 16, scale: 2, default: 0 })(Customer.prototype, 'total');
  Entity('customer')(Customer);

  class Order {}
  PrimaryGeneratedColumn()(Order.prototype, 'id');
  Column('int')(Order.prototype, 'customerId');
  Column('numeric', { precision: 12, scale: 2 })(Order.prototype, 'amount');
  Column('text')(Order.prototype, 'note');
  Entity('orders')(Order);

  library?.ScriptTrigger({ on: ['create'], name: 'order' })(Order);
  library?.ScriptAccess({ read: true })(Order);
  library?.ScriptAccess({ read: true, write: ['total'] })(Customer);
  return { Customer, Order };
}

/** What a tenant would write: one read, one write. */
export const SCRIPT = `
var order = context.record;
var customer = context.query({ entity: 'customer', where: { id: order.customerId } })[0];
context.execute([{ op: 'update', entity: 'customer', id: customer.id, increment: { total: order.amount } }]);
if (Number(customer.total) > 1e12) context.sendEmail({ to: 'boss@example.test', subject: customer.name, text: 'rich' });
setResult(customer.total);
`;

/** Orders that spread over the customers. */
export const orders = (count, from = 0) =>
  Array.from({ length: count }, (_, n) => ({
    customerId: ((from + n) % CUSTOMERS) + 1,
    amount: '1.25',
    note: `order ${from + n}, to be delivered at the back door`,
  }));
