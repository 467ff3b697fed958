// A new order: add it to its customer's total, and tell sales when that reaches 1,000.
const { record: order, tenantId } = context;
const [customer] = context.query({ entity: 'customer', where: { id: order.customerId } });
const before = Number(customer.orderTotal);
const after = before + Number(order.amount);

const increment = { orderTotal: order.amount };
context.execute([{ op: 'update', entity: 'customer', id: customer.id, increment }]);

if (before < 1000 && after >= 1000) {
  const subject = `${customer.name} has ordered for ${after.toFixed(2)}`;
  context.sendEmail({ to: `sales@${tenantId}.example`, subject, text: customer.email });
}
setResult(after.toFixed(2));
