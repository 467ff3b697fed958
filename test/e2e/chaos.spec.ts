// A short, fixed run of the crash harness (test/chaos) with the queues on Redis and on PostgreSQL. For a long one with
// another seed, and the time a graceful stop takes: npm run chaos -- --minutes 10
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { onExit } from '../support/processes.mjs';
import { ensureBuilt, ROOT } from '../support/workspace.mjs';

/** Runs the harness; resolves to its exit code and to what it printed. */
function chaos(...args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [join(ROOT, 'test/chaos/chaos.mjs'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const guard = onExit(() => child.kill('SIGTERM'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  return new Promise((resolve) => {
    child.once('exit', (code) => (guard.cancel(), resolve({ code, output })));
  });
}

beforeAll(() => ensureBuilt(), 180_000);

describe('Whatever is killed, cut, stalled, restarted and flushed meanwhile,', () => {
  it.each([
    ['redis', '4', '--no-graceful'],
    ['postgres', '2', '--no-graceful'],
  ])(
    'every action takes effect once, and its mail leaves (queues on %s)',
    async (queue, seed, graceful) => {
      const { code, output } = await chaos(
        '--seconds',
        '30',
        '--every',
        '1500',
        '--queue',
        queue,
        '--seed',
        seed,
        graceful,
      );
      if (code !== 0) throw new Error(output);
      expect(output).toContain('All held.');
      expect(Number(/^injections +(\d+)/m.exec(output)?.[1])).toBeGreaterThan(10);
      expect(Number(/^actions +(\d+)/m.exec(output)?.[1])).toBeGreaterThan(100);
    },
    240_000,
  );
});
