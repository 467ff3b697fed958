// Starts a real Redis on a free port: `redis-server` on the path, else Docker, else apt where it can be used; else a
// message that says what to do. Never a silent skip.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accepts, freePort, onExit, stopProcess, until } from './processes.mjs';

const works = (command, ...args) => spawnSync(command, args, { stdio: 'ignore', timeout: 20_000 }).status === 0;
const hasRedis = () => works('redis-server', '--version');

function installWithApt() {
  if (process.getuid?.() !== 0 || !works('apt-get', '--version')) return false;
  console.error('redis-server is not installed: installing it with apt-get (about 10 s)');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  spawnSync('apt-get', ['update', '-qq'], { env, stdio: 'ignore' });
  // policy-rc.d is asked before a package starts its service: 101 says no, so the machine is left without a daemon.
  const script =
    'printf "#!/bin/sh\\nexit 101\\n" > /usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; apt-get install -y -qq --no-install-recommends redis-server; status=$?; rm -f /usr/sbin/policy-rc.d; exit $status';
  return spawnSync('sh', ['-c', script], { env, stdio: 'ignore' }).status === 0 && hasRedis();
}

function command(port, directory, more) {
  const options = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--maxmemory-policy',
    'noeviction',
    ...more,
    '--dir',
    directory,
  ];
  if (hasRedis() || (!works('docker', 'info') && installWithApt())) return ['redis-server', options];
  if (works('docker', 'info'))
    return ['docker', ['run', '--rm', '--network', 'host', 'redis:7', 'redis-server', ...options.slice(0, -2)]];
  throw new Error(
    'The tests need Redis: install redis-server (Debian: apt-get install redis-server, macOS: brew install redis), or start Docker, or set TEST_REDIS_URL to a server whose data may be flushed.',
  );
}

/**
 * Starts a server without persistence, with `options` of its command line beside ours. Returns `{ url, port, stop(),
 * kill(), restart() }`.
 *
 * @param {{ port?: number, options?: readonly string[] }} [settings]
 */
export async function startRedis({ port, options = [] } = {}) {
  const chosen = port ?? (await freePort());
  const directory = mkdtempSync(join(tmpdir(), 'nestjs-sandbox-redis-'));
  const [file, args] = command(chosen, directory, options);
  let child;
  const atExit = onExit(() => (child?.kill('SIGKILL'), rmSync(directory, { recursive: true, force: true })));
  const start = async () => {
    child = spawn(file, args, { stdio: 'ignore', detached: true });
    await until(() => accepts(chosen), { what: 'Redis to take connections' });
  };
  await start();
  return {
    url: `redis://127.0.0.1:${chosen}`,
    port: chosen,
    async stop() {
      await stopProcess(child);
      atExit.cancel();
      rmSync(directory, { recursive: true, force: true });
    },
    kill: () => stopProcess(child, { signal: 'SIGKILL' }),
    async restart() {
      await stopProcess(child);
      await start();
    },
  };
}
