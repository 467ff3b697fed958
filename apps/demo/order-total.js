// An order was created: add it to its customer's total; tell sales when the total reaches 1,000.
const order = context.record;
const [customer] = context.query({ entity: 'customer', where: { id: order.customerId } });
const before = Number(customer.orderTotal);
const after = before + Number(order.amount);

const increment = { orderTotal: order.amount };
context.execute([{ op: 'update', entity: 'customer', id: customer.id, increment }]);

if (before < 1000 && after >= 1000) {
  const to = 'sales@' + context.tenantId + '.example';
  context.sendEmail({ to, subject: customer.name + ' has ordered for ' + after.toFixed(2), text: customer.email });
}
setResult(after.toFixed(2));
