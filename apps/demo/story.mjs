// The demo as somebody watches it: one tenant deploys a script, both tenants get orders, and the figures are compared
// with a sum made outside.
import { readFile } from 'node:fs/promises';
import { allActions } from '../../test/support/shop.mjs';
import { until } from '../../test/support/processes.mjs';
import { bars, bold, cyan, dim, fit, green, heading, line, money, red, seconds, task } from './screen.mjs';
import { createStack, TENANTS } from './stack.mjs';

const ORDERS = 40;
const CUSTOMERS = ['Ana Novak', 'Bor Kranjc', 'Cene Zupan', 'Dora Vidmar'];
const AT_ONCE = 4;

/** Runs the demo; resolves to the exit code. `json`: the last line is one JSON object. */
export async function tellStory({ onStop, json }) {
  const begin = performance.now();
  line(bold('\nnestjs-sandbox') + dim('  two tenants, one of them with a script of its own\n'));
  const { stack, start, stop } = createStack({ task });
  onStop(stop);
  await start();
  await deploy(stack.client);
  const placed = await placeOrders(stack.client);
  const outcome = await showWhatHappened(stack, placed);
  const tenants = await compare(stack, placed);
  const ok = Object.values(tenants).every((tenant) => tenant.ok) && outcome.failed === 0;
  await showWhatAScriptCannotDo(stack.client);
  await stop();
  const elapsedMs = Math.round(performance.now() - begin);
  conclude(ok, outcome, elapsedMs);
  if (json) line(JSON.stringify({ ok, tenants: withoutVerdicts(tenants), actions: counts(outcome), elapsedMs }));
  return ok ? 0 : 1;
}

async function deploy(client) {
  heading(1, 'acme deploys a script, without a restart; globex has none');
  const source = await readFile(new URL('order-total.js', import.meta.url), 'utf8');
  for (const text of source.split('\n').filter(Boolean)) {
    line(dim('   │ ') + (text.startsWith('//') ? dim : cyan)(fit(text, 5)));
  }
  await client.deploy('acme', 'order-total', { entity: 'order', on: ['create'], source });
}

/** Creates customers and all orders but the last; resolves to what was placed, in cents, per tenant. */
async function placeOrders(client) {
  heading(2, `${ORDERS - 1} orders for each tenant, over HTTP`);
  const progress = bars(TENANTS);
  const placed = await Promise.all(TENANTS.map((tenant) => placeOrdersOf(client, tenant, progress)));
  progress.end();
  return new Map(TENANTS.map((tenant, index) => [tenant, placed[index]]));
}

async function placeOrdersOf(client, tenant, progress) {
  const customers = [];
  for (const name of CUSTOMERS) {
    const email = `${name.split(' ')[0].toLowerCase()}@${tenant}.example`;
    customers.push(await client.post('/customers', tenant, { name, email }));
  }
  const placed = { customers, cents: new Map(customers.map(({ id }) => [id, 0])), done: 0 };
  await inParallel(ORDERS - 1, AT_ONCE, async (index) => {
    await placeOrder(client, tenant, placed, index);
    progress.set(tenant, placed.done / (ORDERS - 1), `${placed.done} orders, ${money(sum(placed.cents) / 100)}`);
  });
  return placed;
}

async function placeOrder(client, tenant, placed, index) {
  const { id } = placed.customers[index % placed.customers.length];
  const cents = orderCents(index);
  const order = await client.post('/orders', tenant, { customerId: id, amount: cents / 100 });
  placed.cents.set(id, placed.cents.get(id) + cents);
  placed.done += 1;
  return order;
}

/** Amounts that look like amounts, the same in every run: 9.90 to 259.89. */
const orderCents = (index) => 990 + ((index * 7_919) % 24_999);

const sum = (cents) => [...cents.values()].reduce((total, value) => total + value, 0);

/** Calls `work(index)` for every index below `count`, `width` at a time. */
async function inParallel(count, width, work) {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, lane));
}

const UNFINISHED = new Set(['pending', 'queued', 'running']);

/** Every action of both tenants, once there are `count` and none is unfinished. */
const finishedActions = (client, count) =>
  until(
    async () => {
      const all = (await Promise.all(TENANTS.map((tenant) => allActions(client, tenant)))).flat();
      return all.length >= count && !all.some(({ status }) => UNFINISHED.has(status)) && all;
    },
    { timeoutMs: 60_000, everyMs: 50, what: 'all actions to be done' },
  );

/** Waits until every action has ended, places the last orders, and shows what was done. */
async function showWhatHappened({ client, mail }, placed) {
  heading(3, 'What happened');
  const burst = await finishedActions(client, ORDERS - 1);
  const began = Math.min(...burst.map(({ createdAt }) => Date.parse(createdAt)));
  const ended = Math.max(...burst.map(({ finishedAt }) => Date.parse(finishedAt)));
  const within = seconds(ended - began);
  line(
    `   ${burst.length} actions in acme, one after the other, within ${within}; none in globex, which has no script`,
  );
  for (const tenant of TENANTS) await placeOrder(client, tenant, placed.get(tenant), ORDERS - 1);
  const actions = await finishedActions(client, ORDERS);
  await showOne(client, actions[0].id);
  const expectedMails = [...placed.get('acme').cents.values()].filter((cents) => cents >= 100_000).length;
  await mail.waitFor(expectedMails, { timeoutMs: 20_000 });
  const [first, ...others] = mail.mails;
  line(`   mail to ${first.recipients[0]}: ${first.subject} ${dim(`(and ${others.length} more)`)}`);
  const done = actions.filter(({ status }) => status === 'done').length;
  return { done, failed: actions.length - done };
}

/** The life of one action, in milliseconds since the order's row was written. */
async function showOne(client, id) {
  const { createdAt, finishedAt, executions } = await client.admin('GET', `/sandbox/actions/${id}`, 'acme');
  const [{ startedAt, usage, value }] = executions;
  const at = (time) => `${Math.max(0, Date.parse(time) - Date.parse(createdAt))} ms`;
  line(
    `   one more order: acme's script began after ${at(startedAt)}, its effect was committed after ${at(finishedAt)}`,
  );
  line(
    dim(`      ${usage.cpuMs.toFixed(1)} ms inside the script, ${usage.calls} calls of the bridge, result ${value}`),
  );
}

/** Reads every customer over HTTP and compares the totals with what was placed. */
async function compare({ client, mail }, placed) {
  heading(4, 'The totals, beside a sum made outside');
  line(dim(`   ${'tenant'.padEnd(10)}${['orders', 'total', 'expected', 'mails'].map((h) => h.padStart(12)).join('')}`));
  const tenants = {};
  for (const [tenant, { customers, cents }] of placed) {
    const scripted = tenant === 'acme';
    let equal = true;
    let total = 0;
    for (const { id } of customers) {
      const found = Math.round(Number((await client.get(`/customers/${id}`, tenant)).orderTotal) * 100);
      equal &&= found === (scripted ? cents.get(id) : 0);
      total += found;
    }
    const expected = scripted ? sum(cents) : 0;
    const emails = mail.mails.filter(({ recipients }) =>
      recipients.some((to) => to.endsWith(`@${tenant}.example`)),
    ).length;
    tenants[tenant] = { orders: ORDERS, orderTotal: total / 100, expectedTotal: expected / 100, emails, ok: equal };
    const cells = [ORDERS, money(total / 100), money(expected / 100), emails].map((cell) => String(cell).padStart(12));
    line(`   ${tenant.padEnd(10)}${cells.join('')}  ${equal ? green('equal') : red('DIFFERENT')}`);
  }
  return tenants;
}

/** Tries out, without keeping anything, what a script may not do. */
async function showWhatAScriptCannotDo(client) {
  heading(5, 'Scripts that mean no good, tried in dry runs');
  const attempts = [
    ['an endless loop', 'while (true) {}', { cpuMs: 100 }],
    ['all the memory', 'const all = []; while (true) all.push(new Array(1e5).fill(all.length));', {}],
    ['a table not granted', "context.query({ entity: 'invoice' })", {}],
    ['the file system', 'require("fs")', {}],
  ];
  for (const [what, source, limits] of attempts) {
    const { outcome, error, usage } = await client.admin('POST', '/sandbox/scripts/order-total/dry-run', 'acme', {
      source,
      record: {},
      limits,
    });
    const said = outcome === 'exception' ? error.message : `ended after ${Math.round(usage.cpuMs)} ms`;
    line(`   ${what.padEnd(22)}${outcome.padEnd(16)}${dim(fit(said, 42))}`);
  }
}

function conclude(ok, outcome, elapsedMs) {
  const verdict = ok ? green('Every total is right.') : red('The totals do not match, or actions failed.');
  line(`\n${verdict} ${outcome.done} actions done, ${outcome.failed} failed, ${seconds(elapsedMs)} in all.`);
  line(dim('Next: npm start keeps it up to play with; docs/how-it-works.md says why it holds.'));
}

const counts = ({ done, failed }) => ({ done, failed });

const withoutVerdicts = (tenants) =>
  Object.fromEntries(
    Object.entries(tenants).map(([id, { orders, orderTotal, expectedTotal, emails }]) => [
      id,
      { orders, orderTotal, expectedTotal, emails },
    ]),
  );
