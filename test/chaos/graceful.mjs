// SIGTERM to a processor in the middle of a run that outlasts its drain time: another one must have the action at once.
import pg from 'pg';
import { until } from '../support/processes.mjs';

/** Default of `processing.drainMs`. */
const DRAIN_MS = 10_000;
/** Milliseconds from the end of the drain time until the other processor begins: far below the 15 s of a job's lock. */
const TAKEN_OVER_WITHIN_MS = 2_000;

const SLOW = `
const [customer] = context.query({ entity: 'customer', where: { id: context.record.customerId } });
const end = Date.now() + (customer.name === 'slow' ? 14000 : 0);
while (Date.now() < end);
context.execute([{ op: 'update', entity: 'customer', id: customer.id, increment: { orderTotal: context.record.amount } }]);
`;

/** Resolves to `{ drainedMs, takenOverMs, problems }`. Needs a stage where all is well and nobody orders. */
export async function proveGracefulStop(stage, tenant) {
  const { client, actors } = stage;
  const [first, second] = [actors.get('processor-1'), actors.get('processor-2')];
  await client.deploy(tenant, 'slow', { entity: 'order', on: ['create'], source: SLOW, limits: { cpuMs: 30_000 } });
  const customer = await client.post('/customers', tenant, { name: 'slow', email: 'ana@example.com' });
  await second.terminate();
  await new Promise((resolve) => setTimeout(resolve, 1_000)); // deployed: in force within one second
  await client.post('/orders', tenant, { customerId: customer.id, amount: 1 });
  await second.start();
  await sql(stage, tenant, `update customer set name = 'quick' where id = '${customer.id}'`);

  const stoppedAt = Date.now();
  const drainedMs = await first.terminate();
  const action = await until(
    async () => (await sql(stage, tenant, `select * from sandbox_execution where outcome = 'ok'`))[0],
    { timeoutMs: 60_000, what: 'the action to be done' },
  );
  const takenOverMs = action.started_at.getTime() - stoppedAt - DRAIN_MS;
  const [{ total }] = await sql(stage, tenant, `select order_total::float as total from customer`);
  await Promise.all([first.start(), client.admin('DELETE', '/sandbox/scripts/slow', tenant)]);
  return { drainedMs, takenOverMs, problems: judge(drainedMs, takenOverMs, total) };
}

function judge(drainedMs, takenOverMs, total) {
  const problems = [];
  const ms = (value) => `${Math.round(value)} ms`;
  if (drainedMs < DRAIN_MS * 0.9) problems.push(`the processor did not drain: it was gone after ${ms(drainedMs)}`);
  if (takenOverMs > TAKEN_OVER_WITHIN_MS)
    problems.push(`the run was taken over ${ms(takenOverMs)} after the drain time`);
  if (total !== 1) problems.push(`the run that was handed over had its effect ${total} times`);
  return problems.map((text) => `graceful stop: ${text}`);
}

async function sql(stage, tenant, text) {
  const url = new URL(stage.postgres.url);
  url.pathname = `/shop_${tenant}`;
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}
