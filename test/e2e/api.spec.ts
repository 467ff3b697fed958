// What the shop's api answers: to good requests, and to every kind of bad one. The api is a real process.
import { randomUUID } from 'node:crypto';
import { createDatabase } from '../support/postgres.mjs';
import { ADMIN_TOKEN, shopClient, startApi, startApp } from '../support/shop.mjs';
import { ensureBuilt } from '../support/workspace.mjs';
import { dropTenants, tenantNames } from './shop-tenants.js';

const [acme, globex] = tenantNames();
const server = process.env.TEST_DATABASE_URL as string;
let api: Awaited<ReturnType<typeof startApi>>;
let client: ReturnType<typeof shopClient>;
let environment: Record<string, string>;

beforeAll(async () => {
  await ensureBuilt();
  const queues = `queues_${randomUUID().slice(0, 8)}`;
  environment = { DATABASE_URL: await createDatabase(server, queues), TENANTS: `${acme},${globex}` };
  api = await startApi(environment);
  client = shopClient(api.url);
}, 180_000);

afterAll(async () => {
  await api?.stop();
  await dropTenants(environment.DATABASE_URL as string, [acme, globex]);
});

const ana = { name: 'Ana Novak', email: 'ana@example.com' };
const admin = { authorization: `Bearer ${ADMIN_TOKEN}` };

describe('a customer', () => {
  it('is created and read', async () => {
    const created = await client.send('POST', '/customers', { tenant: acme, body: ana });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({ ...ana, orderTotal: '0' });
    expect(await client.get(`/customers/${created.body.id}`, acme)).toEqual(created.body);
  });

  it('of one tenant does not exist for another', async () => {
    const { id } = await client.post('/customers', acme, ana);
    const { status, body } = await client.send('GET', `/customers/${id}`, { tenant: globex });
    expect({ status, code: body.code }).toEqual({ status: 404, code: 'CUSTOMER_NOT_FOUND' });
  });
});

describe('an order', () => {
  const newOrder = async (amount: number | string = 19.9) => {
    const { id } = await client.post('/customers', acme, ana);
    return client.post('/orders', acme, { customerId: id, amount });
  };

  it('is created, read, changed and deleted', async () => {
    const order = await newOrder();
    expect(order).toMatchObject({ amount: '19.9', status: 'open', version: 1 });
    expect(await client.get(`/orders/${order.id}`, acme)).toEqual(order);
    const changed = await client.patch(`/orders/${order.id}`, acme, { status: 'paid', amount: '20.05' });
    expect(changed).toMatchObject({ amount: '20.05', status: 'paid', version: 2, customerId: order.customerId });
    expect((await client.send('DELETE', `/orders/${order.id}`, { tenant: acme })).status).toBe(204);
    expect((await client.send('GET', `/orders/${order.id}`, { tenant: acme })).status).toBe(404);
  });

  it.each([
    [0.1, '0.1'],
    [814.425, '814.425'],
    ['12345678901.99', '12345678901.99'],
  ])('keeps the amount %p to the last digit', async (amount, kept) => {
    const { id } = await newOrder(amount);
    expect((await client.get(`/orders/${id}`, acme)).amount).toBe(kept);
  });

  it('is changed by two requests at once without losing either', async () => {
    const { id } = await newOrder();
    await Promise.all([
      client.patch(`/orders/${id}`, acme, { status: 'paid' }),
      client.patch(`/orders/${id}`, acme, { amount: 5 }),
    ]);
    expect(await client.get(`/orders/${id}`, acme)).toMatchObject({ status: 'paid', amount: '5', version: 3 });
  });
});

describe('a request that makes no sense', () => {
  const id = randomUUID();
  it.each([
    ['without a tenant', 'POST', '/customers', undefined, ana, 400, 'TENANT_MISSING'],
    ['with a blank tenant', 'POST', '/customers', ' ', ana, 400, 'TENANT_MISSING'],
    ['with an impossible tenant', 'POST', '/customers', 'a:b', ana, 400, 'SANDBOX_INVALID_TENANT_ID'],
    ['with a path as tenant', 'GET', `/orders/${id}`, '../acme', undefined, 400, 'SANDBOX_INVALID_TENANT_ID'],
    ['with an unknown tenant', 'POST', '/customers', 'nobody', ana, 404, 'SANDBOX_UNKNOWN_TENANT'],
    ['with no body', 'POST', '/customers', acme, undefined, 400, 'VALIDATION_FAILED'],
    ['with a body that is no JSON', 'POST', '/customers', acme, '{"name":', 400, 'BAD_REQUEST'],
    ['with a body that is a list', 'POST', '/customers', acme, [], 400, 'VALIDATION_FAILED'],
    ['with a name that is none', 'POST', '/customers', acme, { ...ana, name: '' }, 400, 'VALIDATION_FAILED'],
    ['with an email that is none', 'POST', '/customers', acme, { ...ana, email: 'ana' }, 400, 'VALIDATION_FAILED'],
    ['with a field too many', 'POST', '/customers', acme, { ...ana, orderTotal: 5 }, 400, 'VALIDATION_FAILED'],
    ['with an id that is none', 'GET', '/customers/1', acme, undefined, 400, 'INVALID_ID'],
    ['for a customer there is not', 'GET', `/customers/${id}`, acme, undefined, 404, 'CUSTOMER_NOT_FOUND'],
    ['for an order there is not', 'PATCH', `/orders/${id}`, acme, { status: 'paid' }, 404, 'ORDER_NOT_FOUND'],
    ['to delete an order there is not', 'DELETE', `/orders/${id}`, acme, undefined, 404, 'ORDER_NOT_FOUND'],
    ['to order for nobody', 'POST', '/orders', acme, { customerId: id, amount: 1 }, 404, 'CUSTOMER_NOT_FOUND'],
    ['with a negative amount', 'POST', '/orders', acme, { customerId: id, amount: -1 }, 400, 'VALIDATION_FAILED'],
    ['with a huge amount', 'POST', '/orders', acme, { customerId: id, amount: 1e12 }, 400, 'VALIDATION_FAILED'],
    [
      'with an amount that is none',
      'POST',
      '/orders',
      acme,
      { customerId: id, amount: '1e3' },
      400,
      'VALIDATION_FAILED',
    ],
    ['with an amount of null', 'PATCH', `/orders/${id}`, acme, { amount: null }, 400, 'VALIDATION_FAILED'],
    ['with a status that is none', 'PATCH', `/orders/${id}`, acme, { status: 'lost' }, 400, 'VALIDATION_FAILED'],
    ['that changes nothing', 'PATCH', `/orders/${id}`, acme, {}, 400, 'NOTHING_TO_CHANGE'],
    ['for a path there is not', 'GET', '/nothing', acme, undefined, 404, 'NOT_FOUND'],
    ['with a body of 2 MB', 'POST', '/customers', acme, { name: 'x'.repeat(2e6) }, 413, 'BODY_TOO_LARGE'],
  ])('%s is refused with a code and a sentence', async (_, method, path, tenant, body, status, code) => {
    const answer = await client.send(method, path, { tenant, body });
    expect(answer).toMatchObject({
      status,
      body: { statusCode: status, code, message: expect.stringMatching(/.{10}/) },
    });
  });

  it('names every field that is wrong', async () => {
    const { body } = await client.send('POST', '/customers', { tenant: acme, body: { name: 5 } });
    expect(body.problems.join()).toMatch(/name must be a string.*email must be an email/);
  });
});

describe('the admin API', () => {
  it.each([
    ['no token', {}],
    ['another token', { authorization: 'Bearer wrong' }],
    ['the token without its scheme', { authorization: ADMIN_TOKEN }],
    ['the token and more', { authorization: `Bearer ${ADMIN_TOKEN}x` }],
  ])('refuses %s', async (_, headers) => {
    for (const path of ['/sandbox/scripts', '/sandbox/actions', '/sandbox/types.d.ts']) {
      const { status, body } = await client.send('GET', path, { tenant: acme, headers });
      expect({ status, code: body.code }).toEqual({ status: 401, code: 'UNAUTHORIZED' });
    }
  });

  it('wants to know the tenant', async () => {
    expect((await client.send('GET', '/sandbox/scripts', { headers: admin })).status).toBe(400);
    expect((await client.send('GET', '/sandbox/scripts', { tenant: 'nobody', headers: admin })).status).toBe(404);
  });

  it('answers a script that does not parse with the place', async () => {
    const body = { entity: 'order', on: ['create'], source: 'const a = 1;\nconst = 2;' };
    const answer = await client.send('PUT', '/sandbox/scripts/broken', { tenant: acme, body, headers: admin });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(answer.body).toMatchObject({ code: 'SANDBOX_SCRIPT_SYNTAX' });
    expect(JSON.stringify(answer.body)).toMatch(/"line":2/);
  });

  it.each([
    [{ entity: 'invoice', on: ['create'], source: '' }, 'SANDBOX_UNKNOWN_TRIGGER_ENTITY'],
    [{ entity: 'order', on: [], source: '' }, 'SANDBOX_INVALID_SCRIPT'],
    [{ entity: 'order', on: ['create'] }, 'SANDBOX_INVALID_SCRIPT'],
  ])('refuses to deploy %j', async (body, code) => {
    const answer = await client.send('PUT', '/sandbox/scripts/bad', { tenant: acme, body, headers: admin });
    expect(answer).toMatchObject({ status: code === 'SANDBOX_INVALID_SCRIPT' ? 400 : 422, body: { code } });
  });

  it('deploys, shows, lists, disables, enables and deletes a script', async () => {
    const definition = { entity: 'order', on: ['create'], source: 'context.record.amount' };
    expect(await client.deploy(acme, 'echo', definition)).toMatchObject({ name: 'echo', version: 1, enabled: true });
    expect(await client.admin('GET', '/sandbox/scripts/echo', acme)).toMatchObject(definition);
    expect(await client.admin('POST', '/sandbox/scripts/echo/disable', acme)).toMatchObject({ enabled: false });
    expect(await client.admin('POST', '/sandbox/scripts/echo/enable', acme)).toMatchObject({ enabled: true });
    expect(JSON.stringify(await client.admin('GET', '/sandbox/scripts', acme))).toContain('"echo"');
    expect(JSON.stringify(await client.admin('GET', '/sandbox/scripts', globex))).not.toContain('"echo"');
    await client.admin('DELETE', '/sandbox/scripts/echo', acme);
    expect((await client.send('GET', '/sandbox/scripts/echo', { tenant: acme, headers: admin })).status).toBe(404);
  });
});

describe('the process', () => {
  it('says that it is well', async () => {
    expect(await client.send('GET', '/health')).toMatchObject({ status: 200, body: { status: 'ok' } });
  });

  it('describes itself', async () => {
    expect((await client.send('GET', '/docs')).body).toMatch(/swagger/i);
    const { body } = await client.send('GET', '/docs-json');
    expect(Object.keys(body.paths)).toEqual(
      expect.arrayContaining(['/customers', '/orders/{id}', '/sandbox/scripts/{name}', '/sandbox/actions']),
    );
  });

  it.each([
    ['api', 'ADMIN_TOKEN', ''],
    ['api', 'DATABASE_URL', 'mysql://x'],
    ['api', 'TENANTS', 'a b'],
    ['api', 'PORT', 'http'],
    ['processor', 'DATABASE_URL', undefined],
    ['processor', 'SMTP_URL', 'localhost'],
    ['processor', 'REDIS_URL', 'localhost:6379'],
  ] as const)('%s does not start with a wrong %s, and says so', async (app, variable, value) => {
    const started = startApp(app, { ADMIN_TOKEN, ...environment, [variable]: value });
    expect(await started.exited).toEqual({ code: 78, signal: null });
    expect(started.output()).toMatch(new RegExp(`"message":"${variable} `));
  });

  it.each([
    ['api', 'PORT'],
    ['processor', 'HEALTH_PORT'],
  ] as const)('%s does not start where its port is in use, and says so', async (app, variable) => {
    const taken = new URL(api.url).port;
    const started = startApp(app, { ADMIN_TOKEN, ...environment, [variable]: taken });
    expect(await started.exited).toEqual({ code: 78, signal: null });
    expect(started.output()).toMatch(new RegExp(`"message":"Port ${taken} is in use: .*${variable}`));
  });

  it('ends on SIGTERM by itself', async () => {
    const other = await startApi(environment);
    other.child.kill('SIGTERM');
    const { code, signal } = await other.exited;
    expect(code === 0 || signal === 'SIGTERM').toBe(true);
  });
});
