// Starts the demo SaaS as real processes from dist, and speaks HTTP to it.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { freePort, onExit, stopProcess, until } from './processes.mjs';
import { ROOT } from './workspace.mjs';

/** The admin token that `startApi` gives the api unless told otherwise. */
export const ADMIN_TOKEN = 'admin-token-of-the-tests';

/**
 * Starts `dist/apps/<name>/main.js` with these variables beside the system's own. Returns `{ child, output(), stop(),
 * kill(), exited }`; `stop` is SIGTERM, `kill` is SIGKILL.
 */
export function startApp(name, variables) {
  const inherited = Object.fromEntries(
    ['PATH', 'HOME', 'TMPDIR', 'SystemRoot', 'NODE_OPTIONS', 'TZ'].flatMap((key) =>
      process.env[key] === undefined ? [] : [[key, process.env[key]]],
    ),
  );
  const child = spawn(process.execPath, [join(ROOT, 'dist/apps', name, 'main.js')], {
    env: { ...inherited, ...definedOnly(variables) },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => (output = (output + chunk).slice(-200_000)));
  }
  const guard = onExit(() => child.kill('SIGKILL'));
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  void exited.then(guard.cancel);
  return {
    child,
    exited,
    output: () => output,
    stop: (options) => stopProcess(child, { graceMs: 15_000, ...options }),
    kill: () => stopProcess(child, { signal: 'SIGKILL' }),
  };
}

const definedOnly = (variables) =>
  Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined));

async function ready(app, name, condition) {
  try {
    await until(
      () => {
        if (app.child.exitCode !== null || app.child.signalCode !== null) return 'gone';
        return condition();
      },
      { timeoutMs: 60_000, what: `the ${name} to start` },
    );
    if (app.child.exitCode !== null || app.child.signalCode !== null) throw new Error(`The ${name} ended at once`);
  } catch (cause) {
    await app.kill();
    throw new Error(`The ${name} did not start. Its last words:\n${lastWords(app.output())}`, { cause });
  }
  return app;
}

/** The messages of the last lines of a JSON log. */
export function lastWords(output, lines = 8) {
  return output
    .trim()
    .split('\n')
    .slice(-lines)
    .map((line) => {
      try {
        const { message, stack } = JSON.parse(line);
        return stack ?? (typeof message === 'string' ? message : JSON.stringify(message));
      } catch {
        return line;
      }
    })
    .join('\n');
}

/** Starts the api; resolves when it answers. `environment` as in the README: DATABASE_URL, TENANTS, ... */
export async function startApi(environment) {
  const port = Number(environment.PORT ?? 0) || (await freePort());
  const app = startApp('api', { ADMIN_TOKEN, ...environment, PORT: String(port) });
  const url = `http://127.0.0.1:${port}`;
  await ready(app, 'api', async () => (await fetch(`${url}/health/live`)).ok);
  return { ...app, url, port };
}

/** Starts a processor; resolves when it serves the queues. */
export function startProcessor(environment) {
  const app = startApp('processor', environment);
  return ready(app, 'processor', () => app.output().includes('The processor serves'));
}

/** Says over HTTP what a tenant's front end (`post`, `get`, ...) or its administrator (`admin`) would. */
export function shopClient(url, adminToken = ADMIN_TOKEN) {
  /**
   * @param {string} method
   * @param {string} path
   * @param {{ tenant?: string, body?: unknown, headers?: Record<string, string> }} [options]
   */
  async function send(method, path, { tenant, body, headers = {} } = {}) {
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(tenant === undefined ? {} : { 'x-tenant-id': tenant }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : undefined;
    return { status: response.status, body: json ?? text };
  }
  /** The answer's body; rejects where the answer is not a success. */
  async function ok(method, path, options) {
    const { status, body } = await send(method, path, options);
    if (status >= 300) throw new Error(`${method} ${path} answered ${status}: ${JSON.stringify(body)}`);
    return body;
  }
  const admin = (method, path, tenant, body) =>
    ok(method, path, { tenant, body, headers: { authorization: `Bearer ${adminToken}` } });
  return {
    send,
    get: (path, tenant) => ok('GET', path, { tenant }),
    post: (path, tenant, body) => ok('POST', path, { tenant, body }),
    patch: (path, tenant, body) => ok('PATCH', path, { tenant, body }),
    delete: (path, tenant) => ok('DELETE', path, { tenant }),
    admin,
    /** Deploys a script; `definition` is the body of `PUT /sandbox/scripts/:name`. */
    deploy: (tenant, name, definition) => admin('PUT', `/sandbox/scripts/${name}`, tenant, definition),
  };
}

/** Every action of a tenant, newest first, over all pages of the admin API. */
export async function allActions(client, tenant, filter = {}) {
  const found = [];
  let cursor;
  do {
    const query = new URLSearchParams({ ...filter, ...(cursor === undefined ? {} : { cursor }) });
    const page = await client.admin('GET', `/sandbox/actions?${query.toString()}`, tenant);
    found.push(...page.items);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return found;
}
