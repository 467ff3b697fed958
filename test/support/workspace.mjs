// Makes a fresh clone usable: installs packages and builds, where that was not done yet or is out of date. Only `node:`
// imports: this file runs before anything is installed.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const STAMP = join(ROOT, 'dist', '.built-from');
const LOCK = join(ROOT, 'node_modules', '.build-lock');
const OLDEST_LOCK_MS = 5 * 60_000;
const BUILT_FROM = ['libs/sandbox', 'libs/shop', 'apps/api', 'apps/processor', 'tsconfig.json', 'nest-cli.json'];
const OUTPUTS = ['dist/apps/api/main.js', 'dist/apps/processor/main.js', 'libs/shop/dist/index.js'];

/** Throws with a sentence for people where this Node is too old. */
export function assertNodeVersion() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new Error(`Node ${process.versions.node} is too old: install Node 20.19 or newer (https://nodejs.org).`);
}

/** Whether node_modules holds what package-lock.json asks for. */
export function isInstalled() {
  try {
    const read = (file) => JSON.parse(readFileSync(join(ROOT, file), 'utf8')).packages;
    const wanted = read('package-lock.json');
    const present = read('node_modules/.package-lock.json');
    return Object.entries(wanted).every(
      ([path, { version, optional, devOptional, link }]) =>
        !path.startsWith('node_modules/') || optional || devOptional || link || present[path]?.version === version,
    );
  } catch {
    return false;
  }
}

/** Installs packages if need be. `report('start' | 'end')` brackets the work; it is not called where there is none. */
export async function ensureInstalled(report = () => {}) {
  assertNodeVersion();
  if (isInstalled()) return false;
  report('start');
  await npm('ci', '--include=dev', '--no-audit', '--no-fund');
  report('end');
  return true;
}

/** Builds the library and the apps if their sources changed since they were built. Safe in several processes at once. */
export async function ensureBuilt(report = () => {}) {
  if (isBuilt()) return false;
  await takeLock();
  try {
    if (isBuilt()) return false;
    report('start');
    await npm('run', 'build');
    report('end');
    return true;
  } finally {
    rmSync(LOCK, { recursive: true, force: true });
  }
}

function isBuilt() {
  return (
    OUTPUTS.every((file) => existsSync(join(ROOT, file))) &&
    existsSync(STAMP) &&
    readFileSync(STAMP, 'utf8') === sourceHash()
  );
}

/** Notes what was built: the last step of `npm run build`. */
export function stampBuild() {
  mkdirSync(join(ROOT, 'dist'), { recursive: true });
  writeFileSync(STAMP, sourceHash());
}

function sourceHash() {
  const hash = createHash('sha256');
  for (const file of BUILT_FROM.flatMap((path) => sources(join(ROOT, path)))) {
    hash.update(relative(ROOT, file)).update('\0').update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex');
}

function sources(path) {
  if (!statSync(path).isDirectory()) return path.endsWith('.spec.ts') ? [] : [path];
  return readdirSync(path)
    .filter((name) => name !== 'dist' && name !== 'node_modules')
    .sort()
    .flatMap((name) => sources(join(path, name)));
}

async function takeLock() {
  for (;;) {
    try {
      mkdirSync(LOCK);
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      const age = Date.now() - (statSync(LOCK, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (age > OLDEST_LOCK_MS) rmSync(LOCK, { recursive: true, force: true });
      else await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** Runs npm in the checkout; its output is shown only when it fails. */
function npm(...args) {
  // npm tells its scripts where it is itself; that also works where `npm` is a .cmd file or not on the path.
  const { npm_execpath: own } = process.env;
  const [file, first] = own ? [process.execPath, [own]] : ['npm', []];
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...first, ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: !own && process.platform === 'win32',
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    const end = () => child.kill('SIGTERM');
    process.once('exit', end);
    child.once('error', reject);
    child.once('exit', (code) => {
      process.off('exit', end);
      if (code === 0) resolve();
      else reject(new Error(`npm ${args.join(' ')} failed:\n${output.trim().slice(-4_000)}`));
    });
  });
}
