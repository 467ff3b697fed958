// What an operator sees of the shop: real processes, on both queue backends.
import { randomUUID } from 'node:crypto';
import { createDatabase } from '../support/postgres.mjs';
import { until } from '../support/processes.mjs';
import { ADMIN_TOKEN, shopClient, startApi } from '../support/shop.mjs';
import { ensureBuilt } from '../support/workspace.mjs';
import { dropTenants, tenantNames } from './shop-tenants.js';

const server = process.env.TEST_DATABASE_URL as string;
const script = { entity: 'customer', on: ['create'], source: `context.record.name` };
const ana = { name: 'Ana Novak', email: 'ana@example.com' };

beforeAll(() => ensureBuilt(), 180_000);

describe.each(['redis', 'postgres'])('with the queues on %s', (queues) => {
  const [acme, globex] = tenantNames();
  let environment: Record<string, string | undefined>;
  let api: Awaited<ReturnType<typeof startApi>>;
  let client: ReturnType<typeof shopClient>;

  beforeAll(async () => {
    environment = {
      DATABASE_URL: await createDatabase(server, `queues_${randomUUID().slice(0, 8)}`),
      TENANTS: `${acme},${globex}`,
      // A database of its own: processors of other specs share the default prefix, and would take these jobs.
      REDIS_URL: queues === 'redis' ? `${process.env.TEST_REDIS_URL}/7` : undefined,
    };
    api = await startApi(environment);
    client = shopClient(api.url);
  }, 60_000);
  afterAll(async () => {
    await api?.stop();
    await dropTenants(environment.DATABASE_URL as string, [acme, globex]);
  }, 60_000);

  describe('Bull Board', () => {
    const basic = (password: string) => ({
      authorization: `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`,
    });
    const get = (path: string, headers: Record<string, string> = basic(ADMIN_TOKEN)) =>
      client.send('GET', `/queues${path}`, { headers });

    it.each([{}, basic('wrong'), basic(''), { authorization: 'Bearer wrong' }])(
      'is not for %j',
      async (headers: Record<string, string>) => {
        for (const path of ['', '/', '/api/queues', '/static/images/logo.svg']) {
          expect((await get(path, headers)).status).toBe(401);
        }
        const { headers: answered } = await fetch(`${api.url}/queues`, { headers });
        expect(answered.get('www-authenticate')).toMatch(/^Basic realm=/);
      },
    );

    it('shows the tenants and their jobs, and changes nothing', async () => {
      await client.deploy(acme, 'board', script);
      await client.post('/customers', acme, ana);
      const board = async () => {
        const { body } = await get(`/api/queues?activeQueue=${acme}&page=1&jobsPerPage=10`);
        return body.queues as { name: string; counts: { waiting: number }; jobs: { data: unknown }[] }[];
      };
      await until(async () => (await board()).find(({ name }) => name === acme)?.counts.waiting === 1, {
        what: 'the job on the board',
      });
      const shown = await board();
      expect(shown.map(({ name }) => name).sort()).toEqual([acme, globex].sort());
      expect(shown.find(({ name }) => name === acme)?.jobs[0]?.data).toMatchObject({
        change: { entity: 'customer', operation: 'create', record: ana },
      });
      for (const wish of ['pause', 'obliterate', 'empty', 'promote']) {
        const { status } = await client.send('PUT', `/queues/api/queues/${acme}/${wish}`, {
          headers: basic(ADMIN_TOKEN),
        });
        expect(status).toBe(405);
      }
      expect((await get('')).body).toContain('<title>Shop</title>');
      expect((await get('/queue/anything')).status).toBe(200);
      expect((await get('/static/images/logo.svg')).status).toBe(200);
    });

    it('the admin API still asks for the bearer token: a browser that remembers the password must not be enough', async () => {
      const { status } = await client.send('GET', '/sandbox/scripts', { tenant: acme, headers: basic(ADMIN_TOKEN) });
      expect(status).toBe(401);
    });
  });
});
