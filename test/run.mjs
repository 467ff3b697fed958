// `npm test`: every test, on a machine with nothing but Node. Installs and builds what is missing, then runs Jest, whose
// global setup starts PostgreSQL and Redis. Arguments go to Jest: npm test -- test/e2e
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { ensureBuilt, ensureInstalled, ROOT } from './support/workspace.mjs';

const say = (what) => (when) => when === 'start' && console.error(`${what} ...`);

try {
  await ensureInstalled(say('Installing packages (npm ci, about a minute)'));
  await ensureBuilt(say('Building the library and the apps'));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
const child = spawn(process.execPath, [jest, ...process.argv.slice(2)], { cwd: ROOT, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => process.exit(code ?? 1));
