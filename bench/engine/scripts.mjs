// The reference scripts of `bench engine`: what a tenant's trigger typically does, and its host's answers.

/** The article's example: an order was created, the customer's total grows, at a threshold a mail goes out. ES5. */
export const TRIGGER = `
var order = context.record;
var customer = context.query({ entity: 'customer', where: { id: order.customerId } })[0];
var total = Number(customer.orderTotal) + Number(order.amount);
context.execute([{ op: 'update', entity: 'customer', id: customer.id, values: { orderTotal: total } }]);
if (total > 400) {
  context.sendEmail({ to: customer.email, subject: 'Thank you, ' + customer.name, text: 'Your orders come to ' + total });
}
setResult(total);
`;

/** About 100 lines of work, a kilobyte of JSON, three calls of the host. Plain ES5, so that every rival can run it. */
export const LONG = `
var order = context.record;
var rows = context.query({ entity: 'customer', where: { id: order.customerId } });
var customer = rows[0];
var details = JSON.parse(order.details);
var total = 0, lines = [], byCategory = {};
for (var i = 0; i < details.length; i++) {
  var item = details[i];
  var price = item.price * item.quantity;
  if (item.discount) price = price - price * item.discount / 100;
  total += price;
  byCategory[item.category] = (byCategory[item.category] || 0) + price;
  lines.push(item.quantity + ' x ' + item.name + ': ' + price.toFixed(2));
}
var categories = [];
for (var name in byCategory) categories.push(name + '=' + byCategory[name].toFixed(2));
var text = 'Dear ' + customer.name + ',\\n\\n' + lines.join('\\n') + '\\n\\nTotal: ' + total.toFixed(2);
var level = total > 1000 ? 'gold' : total > 500 ? 'silver' : 'plain';
var older = context.query({ entity: 'order', where: { customerId: order.customerId }, limit: 5 });
var sum = 0;
for (var k = 0; k < older.length; k++) sum += older[k].amount;
var changes = [{ op: 'update', entity: 'customer', id: customer.id, values: { level: level, orderTotal: sum + total } }];
context.execute(changes);
setResult(text.length + ' ' + categories.join(',') + ' ' + level);
`;

const details = Array.from({ length: 12 }, (_, i) => ({
  name: `Article number ${i}`,
  category: ['food', 'tools', 'books'][i % 3],
  price: 10 + i,
  quantity: 1 + (i % 4),
  discount: i % 5 === 0 ? 10 : 0,
}));

export const INPUT = {
  entity: 'order',
  operation: 'create',
  record: { id: '17', customerId: '4', amount: 450, details: JSON.stringify(details) },
  userId: 'ann',
};

const CUSTOMER = [{ id: '4', name: 'Ada Lovelace', email: 'ada@example.com', orderTotal: 10 }];
const ORDERS = Array.from({ length: 5 }, (_, i) => ({ id: String(i), amount: 100 * i }));

/** The host's answer to a call. */
export function answer(method, argument) {
  if (method === 'sendEmail') return 1;
  if (method === 'execute') return [{ id: '4' }];
  return argument.entity === 'customer' ? CUSTOMER : ORDERS;
}

/** Two calls that take a while. */
export const WAITING = 'context.query({}); context.query({}); 1';
