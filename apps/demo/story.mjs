// The demo as somebody watches it: one tenant deploys a script, both tenants get orders, and the figures are compared
// with a sum made outside.
import { readFile } from 'node:fs/promises';
import { allActions } from '../../test/support/shop.mjs';
import { until } from '../../test/support/processes.mjs';
import { bars, bold, cyan, dim, green, heading, line, money, red, seconds, task } from './screen.mjs';
import { createStack, TENANTS } from './stack.mjs';

const ORDERS = 40;
const CUSTOMERS = ['Ana Novak', 'Bor Kranjc', 'Cene Zupan', 'Dora Vidmar'];
const AT_ONCE = 4;

/** Runs the demo; resolves to the exit code. `json`: the last line is one JSON object. */
export async function tellStory({ onStop, json }) {
  const begin = performance.now();
  line(bold('\nnestjs-sandbox') + dim('  two tenants, one of them with a script of its own'));
  const { stack, start, stop } = createStack({ task });
  onStop(stop);
  heading(0, 'A system from nothing');
  await start();
  await deploy(stack.client);
  const placed = await placeOrders(stack.client);
  const outcome = await waitForActions(stack, placed);
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
  heading(1, 'acme deploys a script; globex does not');
  const source = await readFile(new URL('order-total.js', import.meta.url), 'utf8');
  for (const text of source.trimEnd().split('\n').slice(1, 14)) line(dim('   │ ') + cyan(text));
  const script = await client.deploy('acme', 'order-total', { entity: 'order', on: ['create'], source });
  line(`   PUT /sandbox/scripts/order-total: version ${script.version}, no restart`);
}

/** Creates customers and orders for both tenants; resolves to what was placed, in cents, per tenant. */
async function placeOrders(client) {
  heading(2, `${ORDERS} orders for each tenant, over HTTP`);
  const begin = performance.now();
  const progress = bars(TENANTS);
  const placed = await Promise.all(TENANTS.map((tenant) => placeOrdersOf(client, tenant, progress)));
  progress.end();
  line(dim(`   ${ORDERS * TENANTS.length} transactions in ${seconds(performance.now() - begin)}`));
  return new Map(TENANTS.map((tenant, index) => [tenant, placed[index]]));
}

async function placeOrdersOf(client, tenant, progress) {
  const customers = [];
  for (const name of CUSTOMERS) {
    const email = `${name.split(' ')[0].toLowerCase()}@${tenant}.example`;
    customers.push(await client.post('/customers', tenant, { name, email }));
  }
  const cents = new Map(customers.map(({ id }) => [id, 0]));
  let done = 0;
  await inParallel(ORDERS, AT_ONCE, async (index) => {
    const customer = customers[index % customers.length];
    const amount = orderCents(index);
    await client.post('/orders', tenant, { customerId: customer.id, amount: amount / 100 });
    cents.set(customer.id, cents.get(customer.id) + amount);
    done += 1;
    progress.set(tenant, done / ORDERS, `${done} orders, ${money(sum(cents) / 100)}`);
  });
  return { customers, cents };
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

/** Waits until every action has ended, and shows how they went. */
async function waitForActions({ client, mail }, placed) {
  heading(3, 'What happened');
  const unfinished = new Set(['pending', 'queued', 'running']);
  const actions = await until(
    async () => {
      const all = (await Promise.all(TENANTS.map((tenant) => allActions(client, tenant)))).flat();
      return all.length >= ORDERS && !all.some(({ status }) => unfinished.has(status)) && all;
    },
    { timeoutMs: 60_000, everyMs: 100, what: 'all actions to be done' },
  );
  const mails = [...placed.get('acme').cents.values()].filter((cents) => cents >= 100_000).length;
  await mail.waitFor(mails, { timeoutMs: 20_000 });
  const done = actions.filter(({ status }) => status === 'done');
  const waits = done.map(({ createdAt, finishedAt }) => Date.parse(finishedAt) - Date.parse(createdAt));
  waits.sort((a, b) => a - b);
  const at = (share) => `${waits[Math.floor((waits.length - 1) * share)] ?? 0} ms`;
  line(`   ${done.length} actions ran in acme, one after the other; none in globex`);
  line(`   from a row committed to its effect committed: half within ${at(0.5)}, all within ${at(1)}`);
  for (const { subject, recipients } of mail.mails.slice(0, 4)) line(`   mail to ${recipients[0]}: ${subject}`);
  return { done: done.length, failed: actions.length - done.length };
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
  heading(5, 'And a script that means no good');
  const attempts = [
    ['while (true) {}', 'an endless loop'],
    ["context.query({ entity: 'invoice' })", 'a table it was not given'],
    ['require("fs")', 'the file system'],
  ];
  for (const [source, what] of attempts) {
    const { outcome, error, usage } = await client.admin('POST', '/sandbox/scripts/order-total/dry-run', 'acme', {
      source,
      limits: { cpuMs: 100 },
    });
    const said = error ? `${error.name}: ${error.message}`.slice(0, 60) : '';
    line(
      `   ${what.padEnd(26)}${outcome.padEnd(14)}${dim(outcome === 'exceededCpu' ? `ended after ${Math.round(usage.cpuMs)} ms` : said)}`,
    );
  }
}

function conclude(ok, outcome, elapsedMs) {
  const verdict = ok ? green('Every total is right.') : red('The totals do not match, or actions failed.');
  line(`\n${verdict} ${outcome.done} done, ${outcome.failed} failed, ${seconds(elapsedMs)} in all.`);
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
