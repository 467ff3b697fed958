// An order was created: add it to its customer's total; tell sales when the total reaches 1,000.
const order = context.record;
const [customer] = context.query({ entity: 'customer', where: { id: order.customerId } });
const before = Number(customer.orderTotal);
const after = before + Number(order.amount);

context.execute([{ op: 'update', entity: 'customer', id: customer.id, increment: { orderTotal: order.amount } }]);

if (before < 1000 && after >= 1000) {
  context.sendEmail({
    to: 'sales@' + context.tenantId + '.example',
    subject: customer.name + ' has ordered for ' + after.toFixed(2),
    text: 'A good moment to say thank you: ' + customer.email,
  });
}
setResult(after.toFixed(2));
