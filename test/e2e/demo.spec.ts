// `npm run demo -- --json`: what it promises, and that it leaves nothing behind, also when it is interrupted.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../support/processes.mjs';
import { ensureBuilt, ROOT } from '../support/workspace.mjs';

let temporary: string;

beforeAll(() => ensureBuilt(), 180_000);
// A folder with a space in its name, that nobody else may enter, is where the demo keeps what it needs.
beforeEach(() => (temporary = mkdtempSync(join(tmpdir(), 'nestjs sandbox '))));
afterEach(() => rmSync(temporary, { recursive: true, force: true }));

function start(program: string, { PORT = '0', args = [] as string[] } = {}) {
  const env = { ...process.env, TMPDIR: temporary, PORT, NO_COLOR: '1' };
  const child = spawn(process.execPath, [join(ROOT, 'apps/demo', program), ...args], { env, cwd: tmpdir() });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  return { child, output: () => output, exit: exitOf(child) };
}

const exitOf = (child: ChildProcess) => new Promise<number | null>((resolve) => child.once('exit', resolve));

const portOf = (output: string, what: RegExp) => Number(what.exec(output)?.[1]);

it('shows the article for two tenants in under a screen, and ends with the figures as JSON', async () => {
  const { output, exit } = start('demo.mjs', { args: ['--json'] });
  expect({ code: await exit, output: output() }).toMatchObject({ code: 0 });
  const lines = output().trimEnd().split('\n');
  const result = JSON.parse(lines.at(-1) as string);
  expect(result).toEqual({
    ok: true,
    tenants: {
      acme: { orders: 40, orderTotal: expect.any(Number), expectedTotal: expect.any(Number), emails: 4 },
      globex: { orders: 40, orderTotal: 0, expectedTotal: 0, emails: 0 },
    },
    actions: { done: 40, failed: 0 },
    elapsedMs: expect.any(Number),
  });
  expect(result.tenants.acme.orderTotal).toBe(result.tenants.acme.expectedTotal);
  expect(lines.length).toBeLessThanOrEqual(45);
  expect(Math.max(...lines.slice(0, -1).map((line) => line.length))).toBeLessThanOrEqual(120);
  expect(readdirSync(temporary)).toEqual([]);
}, 120_000);

it.each(['SIGINT', 'SIGTERM'] as const)(
  'stops everything it started on %s',
  async (signal) => {
    const { child, output, exit } = start('start.mjs');
    await until(() => output().includes('Ctrl-C stops everything'), { timeoutMs: 60_000, what: 'npm start to be up' });
    const ports = [
      portOf(output(), /PostgreSQL +embedded, port (\d+)/),
      portOf(output(), /SMTP server, port (\d+)/),
      portOf(output(), /api +http:\/\/127\.0\.0\.1:(\d+)/),
      portOf(output(), /mails +http:\/\/127\.0\.0\.1:(\d+)/),
    ];
    expect(ports.every((port) => port > 0)).toBe(true);
    child.kill(signal);
    expect(await exit).toBe(signal === 'SIGINT' ? 130 : 143);
    const { accepts } = await import('../support/processes.mjs');
    expect(await Promise.all(ports.map((port) => accepts(port)))).toEqual([false, false, false, false]);
    expect(readdirSync(temporary)).toEqual([]);
  },
  120_000,
);

it('says at once when its port is in use', async () => {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { output, exit } = start('start.mjs', { PORT: String(port) });
  expect(await exit).toBe(1);
  server.close();
  expect(output()).toMatch(`Port ${port} is in use.`);
  expect(output()).not.toMatch('PostgreSQL');
  expect(readdirSync(temporary)).toEqual([]);
}, 60_000);

it('leaves nothing behind when it is interrupted while it starts', async () => {
  const { child, output, exit } = start('demo.mjs');
  await until(() => /PostgreSQL +embedded/.test(output()), { timeoutMs: 60_000, what: 'PostgreSQL to be up' });
  child.kill('SIGINT');
  expect(await exit).toBe(130);
  expect(readdirSync(temporary)).toEqual([]);
}, 60_000);
