// The whole path over HTTP with real processes (api and processor from dist), on both queue backends: the article's
// example for two tenants, scripts that are deployed, changed and disabled while it runs, and kill -9 in between.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { tenantDatabaseUrl } from 'shop';
import { startMailCatcher } from '../support/mail-catcher.mjs';
import { createDatabase } from '../support/postgres.mjs';
import { until } from '../support/processes.mjs';
import { allActions, shopClient, startApi, startProcessor } from '../support/shop.mjs';
import { ensureBuilt, ROOT } from '../support/workspace.mjs';
import { dropTenants, tenantNames } from './shop-tenants.js';

const server = process.env.TEST_DATABASE_URL as string;
const source = readFileSync(join(ROOT, 'apps/demo/order-total.js'), 'utf8');
const orderTotal = { entity: 'order', on: ['create'], source };

beforeAll(() => ensureBuilt(), 180_000);

describe.each(['redis', 'postgres'])('with the queues on %s', (queues) => {
  const [acme, globex] = tenantNames();
  let environment: Record<string, string | undefined>;
  let mail: Awaited<ReturnType<typeof startMailCatcher>>;
  let api: Awaited<ReturnType<typeof startApi>>;
  let processor: Awaited<ReturnType<typeof startProcessor>>;
  let client: ReturnType<typeof shopClient>;

  beforeAll(async () => {
    mail = await startMailCatcher();
    environment = {
      DATABASE_URL: await createDatabase(server, `queues_${randomUUID().slice(0, 8)}`),
      TENANTS: `${acme},${globex}`,
      SMTP_URL: mail.url,
      REDIS_URL: queues === 'redis' ? process.env.TEST_REDIS_URL : undefined,
    };
    [api, processor] = await Promise.all([startApi(environment), startProcessor(environment)]);
    client = shopClient(api.url);
  }, 120_000);

  afterAll(async () => {
    await Promise.all([api?.stop(), processor?.stop()]);
    await mail?.stop();
    await dropTenants(environment.DATABASE_URL as string, [acme, globex]);
  }, 60_000);

  const newCustomer = async (tenant: string, name = 'Ana') =>
    (await client.post('/customers', tenant, { name, email: 'ana@example.com' })).id as string;
  const order = (tenant: string, customerId: string, amount: number) =>
    client.post('/orders', tenant, { customerId, amount });
  const totalOf = async (tenant: string, id: string) =>
    Number((await client.get(`/customers/${id}`, tenant)).orderTotal);
  const totalBecomes = (tenant: string, id: string, cents: number, timeoutMs = 60_000) =>
    until(async () => Math.round((await totalOf(tenant, id)) * 100) === cents, {
      timeoutMs,
      what: `a total of ${cents / 100}`,
    });

  /** In cents, as the tenant's database adds them up. */
  async function sumOfOrders(customerId: string): Promise<number> {
    const database = new Client({ connectionString: tenantDatabaseUrl(environment.DATABASE_URL as string, acme) });
    await database.connect();
    const { rows } = await database.query('select sum(amount) * 100 as cents from "order" where customer_id = $1', [
      customerId,
    ]);
    await database.end();
    return Math.round(Number(rows[0].cents));
  }

  it('the article works: totals grow to the cent, one mail at the threshold, for the tenant with the script', async () => {
    await client.deploy(acme, 'order-total', orderTotal);
    const [ours, theirs] = [await newCustomer(acme), await newCustomer(globex)];
    const amounts = Array.from({ length: 24 }, (_, index) => 4_210 + index * 37);
    await Promise.all(amounts.flatMap((cents) => [order(acme, ours, cents / 100), order(globex, theirs, cents / 100)]));
    const sum = amounts.reduce((total, cents) => total + cents, 0);
    await totalBecomes(acme, ours, sum);
    const [first] = await mail.waitFor(1);
    expect(first).toMatchObject({ recipients: [`sales@${acme}.example`], subject: expect.stringMatching(/^Ana has/) });
    expect(await totalOf(globex, theirs)).toBe(0);
    expect(mail.mails).toHaveLength(1);
    const actions = await allActions(client, acme);
    expect(actions.map(({ status }: { status: string }) => status)).toEqual(amounts.map(() => 'done'));
    expect(await allActions(client, globex)).toEqual([]);
  }, 90_000);

  it('a script that is changed or disabled is so within a second, in a process that did not hear of it by itself', async () => {
    const customer = await newCustomer(acme, 'Bor');
    const bonus = source.replace('{ orderTotal: order.amount }', "{ orderTotal: '1000000' }");
    expect(bonus).not.toBe(source);
    await order(acme, customer, 1);
    await totalBecomes(acme, customer, 100);

    await client.deploy(acme, 'order-total', { ...orderTotal, source: bonus });
    await new Promise((resolve) => setTimeout(resolve, 1_000)); // the promise: in force within one second
    await order(acme, customer, 1);
    await totalBecomes(acme, customer, 100_000_100);

    await client.admin('POST', '/sandbox/scripts/order-total/disable', acme);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await order(acme, customer, 1);
    await client.admin('POST', '/sandbox/scripts/order-total/enable', acme);
    await client.deploy(acme, 'order-total', orderTotal);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await order(acme, customer, 2);
    await totalBecomes(acme, customer, 100_000_300); // the order made while it was disabled fired nothing
  }, 60_000);

  it('totals are exact after api and processor were killed in the middle, with a second processor at work', async () => {
    await client.deploy(acme, 'order-total', orderTotal);
    const second = await startProcessor(environment);
    try {
      const customer = await newCustomer(acme, 'Cene');
      const place = (count: number, first: number) =>
        Promise.allSettled(Array.from({ length: count }, (_, index) => order(acme, customer, (first + index) / 100)));
      const before = place(30, 101);
      await until(async () => (await totalOf(acme, customer)) > 0, { what: 'the first effect' });
      await processor.kill();
      await before;
      const during = place(30, 211);
      await new Promise((resolve) => setTimeout(resolve, 20)); // some are on their way, whichever
      await api.kill();
      await during; // of those without an answer some are committed and some are not: the database knows
      api = await startApi({ ...environment, PORT: String(api.port) });
      processor = await startProcessor(environment);
      await place(10, 307);
      const committed = await sumOfOrders(customer);
      expect(committed).toBeGreaterThanOrEqual(30 * 101);
      await totalBecomes(acme, customer, committed, 90_000);
      // Nothing comes later either: no action is left that could add to it.
      await until(
        async () =>
          (await allActions(client, acme)).every(({ status }: { status: string }) => status === 'done') || undefined,
        { timeoutMs: 60_000, what: 'every action to be done' },
      );
      await totalBecomes(acme, customer, committed, 1_000);
    } finally {
      await second.stop();
    }
  }, 240_000);
});
