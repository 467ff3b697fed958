// `npm run bench -- [name ...] [--json]`: runs bench/<name>.mjs, all of them by default. Each exports
// `run(emit)` and measures itself beside its rival in the same process or round; `emit` takes
// `{ name, metric, value, unit, rival, rivalValue }`, and here the ratio is added: value / rivalValue.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBuilt, ensureInstalled, ROOT } from '../test/support/workspace.mjs';

/** The benchmarks, in the order in which they run. */
const NAMES = ['engine', 'queue', 'pipeline', 'capture', 'query'];

const json = process.argv.includes('--json');
const unknown = process.argv.slice(2).filter((name) => name !== '--json' && !NAMES.includes(name));
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(', ')}: choose from ${NAMES.join(', ')}.`);
  process.exit(2);
}
const chosen = NAMES.filter((name) => process.argv.includes(name));

/** Three significant digits, thousands apart. */
const figure = (value) =>
  value === undefined
    ? ''
    : Math.abs(value) >= 100
      ? Math.round(value).toLocaleString('en')
      : Number(value.toPrecision(3)).toString();

function withRatio(result) {
  const { value, rivalValue } = result;
  if (rivalValue === undefined || rivalValue === 0) return result;
  return { ...result, ratio: Number((value / rivalValue).toPrecision(4)) };
}

function printRow({ metric, value, unit, rival, rivalValue, ratio }) {
  const beside = rival === undefined ? '' : `${figure(rivalValue).padStart(10)}  ${rival}`;
  const times = ratio === undefined ? '' : `${figure(ratio)} x`;
  console.log(`  ${metric.padEnd(34)} ${figure(value).padStart(10)} ${unit.padEnd(12)} ${times.padStart(9)} ${beside}`);
}

async function runOne(name) {
  const file = join(ROOT, 'bench', `${name}.mjs`);
  if (!existsSync(file)) throw new Error(`bench/${name}.mjs does not exist`);
  const { run } = await import(pathToFileURL(file).href);
  if (!json)
    console.log(
      `\n${name}${' '.repeat(36 - name.length)}${'ours'.padStart(11)} ${' '.repeat(12)}      ratio      rival`,
    );
  await run((result) => {
    const row = withRatio({ name, ...result });
    if (json) console.log(JSON.stringify(row));
    else printRow(row);
  });
}

let failures = 0;
try {
  const say = (what) => (when) => when === 'start' && console.error(`${what} ...`);
  await ensureInstalled(say('Installing packages (npm ci)'));
  await ensureBuilt(say('Building'));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
for (const name of chosen.length > 0 ? chosen : NAMES) {
  try {
    await runOne(name);
  } catch (error) {
    failures += 1;
    console.error(`bench ${name} failed:`, error);
  }
}
process.exit(failures > 0 ? 1 : 0);
