// What an operator sees of the shop: real processes, on both queue backends.
import { randomUUID } from 'node:crypto';
import { createDatabase } from '../support/postgres.mjs';
import { freePort, until } from '../support/processes.mjs';
import { startRedis } from '../support/redis.mjs';
import { ADMIN_TOKEN, allActions, shopClient, startApi, startProcessor } from '../support/shop.mjs';
import { ensureBuilt } from '../support/workspace.mjs';
import { dropTenants, tenantNames } from './shop-tenants.js';

const server = process.env.TEST_DATABASE_URL as string;
const script = { entity: 'customer', on: ['create'], source: `context.record.name` };
const ana = { name: 'Ana Novak', email: 'ana@example.com' };

beforeAll(() => ensureBuilt(), 180_000);

describe.each(['redis', 'postgres'])('with the queues on %s', (queues) => {
  const [acme, globex] = tenantNames();
  let environment: Record<string, string | undefined>;
  let redis: Awaited<ReturnType<typeof startRedis>> | undefined;
  let api: Awaited<ReturnType<typeof startApi>>;
  let processor: Awaited<ReturnType<typeof startProcessor>> | undefined;
  let client: ReturnType<typeof shopClient>;

  beforeAll(async () => {
    redis = queues === 'redis' ? await startRedis() : undefined;
    environment = {
      DATABASE_URL: await createDatabase(server, `queues_${randomUUID().slice(0, 8)}`),
      TENANTS: `${acme},${globex}`,
      REDIS_URL: redis?.url,
    };
    api = await startApi(environment);
    client = shopClient(api.url);
  }, 60_000);
  afterAll(async () => {
    await Promise.all([api?.stop(), processor?.stop()]);
    await redis?.stop();
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

  describe('metrics and health', () => {
    let processorUrl: string;

    const metricsOf = async (url: string) => await (await fetch(`${url}/metrics`)).text();
    /** The sum of a metric's series, of those whose labels contain `label`. */
    const sumOf = (text: string, name: string, label = '') =>
      text
        .split('\n')
        .filter((line) => new RegExp(`^${name}[ {]`).test(line) && line.includes(label))
        .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    const settled = () =>
      until(
        async () => (await allActions(client, acme)).every(({ finishedAt }: { finishedAt: string }) => finishedAt),
        { what: 'all actions to finish' },
      );

    it('the age of the queue shows that nobody serves it', async () => {
      await client.post('/customers', acme, ana);
      await until(async () => sumOf(await metricsOf(api.url), 'sandbox_queue_age_seconds') > 1, {
        what: 'the queue to age',
      });
    });

    it('count what was done, in the process that did it, and name no tenant', async () => {
      const port = await freePort();
      processorUrl = `http://127.0.0.1:${port}`;
      processor = await startProcessor({ ...environment, HEALTH_PORT: String(port) });
      const source = `if (context.record.name === 'Bad') throw new Error('no')`;
      await client.deploy(acme, 'board', { ...script, source });
      await new Promise((resolve) => setTimeout(resolve, 1_000)); // the promise: in force within one second
      for (const name of ['Ana', 'Bad', 'Cene']) await client.post('/customers', acme, { ...ana, name });
      await settled();
      const actions = await allActions(client, acme);
      const [written, done] = await Promise.all([metricsOf(api.url), metricsOf(processorUrl)]);
      expect(sumOf(written, 'sandbox_actions_captured_total')).toBe(actions.length);
      expect(sumOf(done, 'sandbox_actions_finished_total')).toBe(actions.length);
      expect(sumOf(done, 'sandbox_actions_finished_total', 'outcome="exception"')).toBe(1);
      expect(sumOf(done, 'sandbox_action_run_seconds_count')).toBe(actions.length);
      expect(sumOf(done, 'sandbox_action_wait_seconds_sum')).toBeGreaterThan(1);
      expect(sumOf(done, 'sandbox_pool_threads')).toBeGreaterThan(0);
      expect(sumOf(done, 'process_cpu_seconds_total')).toBeGreaterThan(0);
      const handedOver = sumOf(written + done, 'sandbox_actions_queued_total');
      expect(handedOver).toBeGreaterThanOrEqual(actions.length);
      expect(written + done).not.toContain(acme);
      await until(async () => sumOf(await metricsOf(api.url), 'sandbox_queue_age_seconds') === 0, {
        what: 'the queue to be empty',
      });
    }, 60_000);

    it('say that all is well', async () => {
      for (const url of [api.url, processorUrl]) {
        const health = await fetch(`${url}/health`);
        expect(health.status).toBe(200);
        expect(await health.json()).toMatchObject({
          status: 'ok',
          details: { queue: { status: 'up', kind: queues }, relay: { status: 'up' }, pool: { status: 'up' } },
        });
        expect(await (await fetch(`${url}/health/live`)).json()).toEqual({ status: 'ok' });
      }
    });

    if (queues === 'redis') {
      it('say that the queue is away, while the shop goes on', async () => {
        await redis?.kill();
        const health = await fetch(`${api.url}/health`);
        expect(health.status).toBe(503);
        expect(await health.json()).toMatchObject({ details: { queue: { status: 'down' } } });
        expect((await fetch(`${api.url}/health/live`)).status).toBe(200);
        await client.post('/customers', acme, ana);
        await until(async () => sumOf(await metricsOf(api.url), 'sandbox_dispatch_failures_total') > 0, {
          what: 'the failure to be counted',
        });
        await redis?.restart();
        await settled();
        const done = await metricsOf(processorUrl);
        expect(sumOf((await metricsOf(api.url)) + done, 'sandbox_actions_queued_total', 'by="relay"')).toBeGreaterThan(
          0,
        );
        expect((await fetch(`${api.url}/health`)).status).toBe(200);
      }, 90_000);
    }
  });
});
