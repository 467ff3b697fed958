// The ledger: two scripts whose every run leaves a trace that tells which run it was, and the proof over the traces.
import pg from 'pg';
import { until } from '../support/processes.mjs';

/** Where the scripts send their mails; the proof tells tenants apart by it. */
const mailbox = (tenant) => `ledger@${tenant}.example`;

// A ledger row is a customer whom no script listens to: its name is the action, its email the run (`nonce`). A run that
// is repeated draws another nonce, so a mail that carries one nobody committed came from a run that was not kept.
const HEAD = `
const { record, action, tenantId } = context;
const nonce = Math.random().toString(36).slice(2) + Math.random().toString(36).slice(2);
const increment = { op: 'update', entity: 'customer', id: record.customerId, increment: { orderTotal: record.amount } };
const row = { op: 'create', entity: 'customer', values: { name: action.id, email: nonce } };
const mail = { to: 'ledger@' + tenantId + '.example', subject: action.id };
`;

/** What is deployed for each tenant: one script that never looks at what it wrote, and one that does. */
export const SCRIPTS = {
  blind: `${HEAD}
context.execute([increment, row]);
context.sendEmail({ ...mail, text: nonce });
`,
  seeing: `${HEAD}
const [before] = context.query({ entity: 'customer', where: { id: record.customerId } });
const results = context.execute([increment]);
if (JSON.stringify(results).length < 2) throw new Error('no result');
const [after] = context.query({ entity: 'customer', where: { id: record.customerId } });
const grown = Math.round(Number(after.orderTotal) * 100) - Math.round(Number(before.orderTotal) * 100);
if (grown < Math.round(Number(record.amount) * 100)) throw new Error('its own write is not to be seen: ' + grown);
context.execute([row]);
context.sendEmail({ ...mail, text: nonce });
`,
};

/** The text of the statements is the library's tables; the harness reads them past the links, on the server itself. */
async function read(stage, tenant, queries) {
  const url = new URL(stage.postgres.url);
  url.pathname = `/shop_${tenant}`;
  const client = new pg.Client({ connectionString: url.href });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const found = {};
    for (const [name, text] of Object.entries(queries)) found[name] = (await client.query(text)).rows;
    return found;
  } finally {
    await client.end().catch(() => undefined);
  }
}

const UNFINISHED = {
  actions: `select id, seq, script_name, status, attempt, created_at, queued_at, lease_until, now() as now
from sandbox_action where finished_at is null order by seq`,
  mails: `select id, action_id, status, attempts, next_attempt_at, error, now() as now
from sandbox_email where status = 'pending' order by seq`,
};

/** Waits until nothing is left to do; resolves to what was left after `timeoutMs`, as sentences. */
export async function settle(stage, timeoutMs) {
  let left = [];
  const look = async () => {
    left = [];
    for (const tenant of stage.tenants) {
      const { actions, mails } = await read(stage, tenant, UNFINISHED);
      if (actions.length > 0)
        left.push(`${tenant}: ${actions.length} actions unfinished, the first: ${JSON.stringify(actions[0])}`);
      if (mails.length > 0)
        left.push(`${tenant}: ${mails.length} mails unsent, the first: ${JSON.stringify(mails[0])}`);
    }
    return left.length === 0;
  };
  await until(look, { timeoutMs, everyMs: 250, what: 'everything to be done' }).catch((error) => {
    if (left.length === 0) left.push(String(error.cause ?? error));
  });
  return left;
}

const ALL = {
  orders: `select id, customer_id, (amount * 100)::int as cents from "order"`,
  totals: `select c.id, (c.order_total * 100)::bigint::text as total,
  coalesce((select sum(amount) * 100 from "order" where customer_id = c.id), 0)::bigint::text as ordered
from customer c where email = 'ana@example.com'`,
  rows: `select name as action, email as nonce from customer where email <> 'ana@example.com'`,
  actions: `select id, seq::int, record_id, script_name, status, outcome, error, attempt, created_at, finished_at
from sandbox_action where entity = 'order' order by seq`,
  executions: `select action_id, outcome, started_at, finished_at from sandbox_execution`,
  mails: `select action_id, message_id, status, error from sandbox_email`,
  // A run with a transaction of its own ended, for its row, when that began: so one that ran beside another counts, too.
  overtaken: `select b.id, b.script_name as script, a.id as by, a.script_name as by_script,
  round(extract(epoch from b.finished_at - a.finished_at) * 1000) as late_ms
from sandbox_action a join sandbox_action b on b.seq < a.seq and b.finished_at > a.finished_at
  and (b.written_by = a.written_by or pg_visible_in_snapshot(b.written_by, a.written_seeing))`,
};

/** Holds everything that a tenant's database and the mail server have against what the customers know. */
export async function prove(stage, driver) {
  const problems = [];
  const figures = { orders: 0, unacknowledged: 0, actions: 0, executions: 0, mails: 0, duplicates: 0, overtaken: 0 };
  const finished = [];
  for (const tenant of stage.tenants) {
    const found = await read(stage, tenant, ALL);
    const received = stage.mail.mails.filter(({ to }) => to.includes(mailbox(tenant)));
    const report = (list, sentence) =>
      list.slice(0, 5).forEach((item) => problems.push(`${tenant}: ${sentence(item)}`));
    proveOrders(found, driver.attempts.get(tenant), figures, report);
    proveActions(found, figures, report);
    proveOrder(found, figures, report);
    proveEffects(found, report);
    proveMails(found, received, figures, report);
    for (const { created_at: createdAt, finished_at: finishedAt } of found.actions) {
      finished.push({ tenant, createdAt: +createdAt, finishedAt: +finishedAt });
    }
  }
  return { problems, figures, finished };
}

/** What was acknowledged is there, and nothing that nobody ordered. */
function proveOrders({ orders }, attempts, figures, report) {
  const byId = new Map(orders.map((order) => [order.id, order]));
  figures.orders += orders.length;
  const acknowledged = [...attempts.values()].filter(({ orderId }) => orderId !== undefined);
  report(
    acknowledged.filter(({ orderId }) => !byId.has(orderId)),
    ({ orderId }) => `order ${orderId} was acknowledged and is gone`,
  );
  report(
    orders.filter(({ cents, customer_id: id }) => attempts.get(cents)?.customerId !== id),
    ({ id }) => `nobody ordered ${id}`,
  );
  report(repeated(orders.map(({ cents }) => cents)), (cents) => `one request made two orders (of ${cents} cents)`);
  const known = new Set(acknowledged.map(({ orderId }) => orderId));
  figures.unacknowledged += orders.filter(({ id }) => !known.has(id)).length;
}

/** Each committed order has one action per script, each of them done, by one run that was kept. */
function proveActions({ orders, actions, executions }, figures, report) {
  figures.actions += actions.length;
  figures.executions += executions.length;
  const wanted = orders.flatMap(({ id }) => Object.keys(SCRIPTS).map((script) => `${script} for order ${id}`));
  const present = actions.map(({ record_id: id, script_name: script }) => `${script} for order ${id}`);
  const counts = tally(present);
  report(
    wanted.filter((name) => !counts.has(name)),
    (name) => `there is no action: ${name}`,
  );
  report(repeated(present), (name) => `there are ${counts.get(name)} actions: ${name}`);
  report(
    [...counts.keys()].filter((name) => !new Set(wanted).has(name)),
    (name) => `an action for nothing: ${name}`,
  );
  report(
    actions.filter(({ status }) => status !== 'done'),
    ({ id, status, attempt, error }) => `action ${id} is ${status} after ${attempt} attempts: ${JSON.stringify(error)}`,
  );
  const kept = tally(executions.filter(({ outcome }) => outcome === 'ok').map(({ action_id: id }) => id));
  report(
    actions.filter(({ id, status }) => status === 'done' && kept.get(id) !== 1),
    ({ id }) => `action ${id} was kept ${kept.get(id) ?? 0} times`,
  );
}

/** No action was still to be done when one of its tenant was that had been written after its commit. */
function proveOrder({ overtaken }, figures, report) {
  figures.overtaken += new Set(overtaken.map(({ id }) => id)).size;
  report(
    overtaken,
    ({ id, script, by, by_script: other, late_ms: ms }) =>
      `${script} action ${id} was overtaken by ${other} action ${by}, which ended ${ms} ms before`,
  );
}

/** Each action has one ledger row; each customer's total is what was ordered, once per script. */
function proveEffects({ actions, rows, totals }, report) {
  const counts = tally(rows.map(({ action }) => action));
  const known = new Set(actions.map(({ id }) => id));
  report(
    actions.filter(({ id }) => counts.get(id) !== 1),
    ({ id }) => `action ${id} has ${counts.get(id) ?? 0} ledger rows`,
  );
  report(
    [...counts.keys()].filter((id) => !known.has(id)),
    (id) => `a ledger row of an action that is none: ${id}`,
  );
  const scripts = BigInt(Object.keys(SCRIPTS).length);
  report(
    totals.filter(({ total, ordered }) => BigInt(total) !== BigInt(ordered) * scripts),
    ({ id, total, ordered }) => `customer ${id} has a total of ${total} cents for orders of ${ordered}`,
  );
}

/** Each action's mail has left, with its one id, and says what was committed; none that was not. */
function proveMails({ actions, rows, mails }, received, figures, report) {
  const nonces = new Map(rows.map(({ action, nonce }) => [action, nonce]));
  const ids = new Map(mails.map(({ action_id: id, message_id: messageId }) => [id, messageId]));
  figures.mails += received.length;
  figures.duplicates += received.length - new Set(received.map(({ messageId }) => messageId)).size;
  report(
    mails.filter(({ status }) => status !== 'sent'),
    ({ action_id: id, status, error }) => `the mail of ${id} is ${status}: ${error}`,
  );
  report(repeated(mails.map(({ action_id: id }) => id)), (id) => `action ${id} has more than one mail`);
  const arrived = new Set(received.map(({ subject }) => subject));
  report(
    actions.filter(({ id }) => !arrived.has(id)),
    ({ id }) => `no mail of action ${id} arrived`,
  );
  report(
    received.filter(({ subject, text }) => nonces.get(subject) !== text),
    ({ subject }) => `a mail of ${subject} came from a run that was not kept`,
  );
  report(
    received.filter(({ subject, messageId }) => ids.get(subject) !== messageId),
    ({ subject, messageId }) => `a mail of ${subject} has the Message-ID ${messageId}, not its own`,
  );
}

function tally(list) {
  const counts = new Map();
  for (const item of list) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

const repeated = (list) => [...tally(list)].filter(([, count]) => count > 1).map(([item]) => item);
