// Runs a sample of test262 through createScriptRunner, the way scripts are run.
//   TEST262_DIR=<checkout> node test/conformance/test262.mjs [--engine quickjs|js-interpreter] [--every 20] [--only <text>] [--failures]
// Needs a built library (npm run build:lib). What is not run, and why, is in test262-skips.mjs. docs/conformance.md has
// the rates that were measured.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { createScriptRunner } from '../../libs/sandbox/dist/esm/processor/pool/script-runner.js';
import { skipReason } from './test262-skips.mjs';

const { values: options } = parseArgs({
  options: {
    engine: { type: 'string', default: 'quickjs' },
    every: { type: 'string', default: '20' },
    only: { type: 'string', default: '' },
    failures: { type: 'boolean', default: false },
  },
});
const root = process.env.TEST262_DIR;
if (!root) {
  process.stderr.write('TEST262_DIR is not set: it names a checkout of https://github.com/tc39/test262\n');
  process.exit(2);
}

/** The fields of a test's front matter that matter here. */
function frontMatter(text) {
  const yaml = /\/\*---([\s\S]*?)---\*\//.exec(text)?.[1] ?? '';
  const list = (name) => {
    const inline = new RegExp(`^${name}: *\\[(.*?)\\]`, 'ms').exec(yaml)?.[1];
    if (inline !== undefined)
      return inline
        .split(',')
        .map((each) => each.trim())
        .filter(Boolean);
    const block = new RegExp(`^${name}: *\\r?\\n((?:[ \\t]+-.*\\r?\\n?)+)`, 'm').exec(yaml)?.[1] ?? '';
    return block
      .split('\n')
      .map((line) => line.replace(/^\s*-\s*/, '').trim())
      .filter(Boolean);
  };
  const negative = /^negative:[ \t]*\r?\n((?:[ \t]+.*\r?\n?)+)/m.exec(yaml)?.[1];
  return {
    features: list('features'),
    flags: list('flags'),
    includes: list('includes'),
    negative: negative && { phase: /phase:\s*(\w+)/.exec(negative)?.[1], type: /type:\s*(\w+)/.exec(negative)?.[1] },
  };
}

const harness = new Map();
function include(name) {
  if (!harness.has(name)) harness.set(name, readFileSync(join(root, 'harness', name), 'utf8'));
  return harness.get(name);
}

/** How an asynchronous test tells that it is done. */
const DONE = `
function print(text) { setResult(String(text)); }
globalThis.$DONE = $DONE;
function $DONE(error) { setResult(error ? 'Test262:AsyncTestFailure:' + (error && error.message || error) : 'Test262:AsyncTestComplete'); }
`;

function sourceOf(test, { flags, includes }) {
  const parts = ['assert.js', 'sta.js', ...includes.filter((name) => name !== 'doneprintHandle.js')].map(include);
  if (flags.includes('async')) parts.push(DONE);
  const strict = flags.includes('onlyStrict') ? '"use strict";\n' : '';
  return `${strict}${parts.join('\n')}\n${test}\n;void 0;`;
}

function passed(result, { flags, negative }) {
  if (negative) {
    const early = negative.phase !== 'runtime';
    return (
      result.outcome === (early ? 'syntaxError' : 'exception') &&
      (early || result.error?.name === negative.type || result.error?.message.startsWith(negative.type))
    );
  }
  if (result.outcome !== 'ok') return false;
  return !flags.includes('async') || result.value === 'Test262:AsyncTestComplete';
}

const walk = (dir) =>
  readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? walk(join(dir, entry.name))
      : entry.name.endsWith('.js') && !entry.name.includes('_FIXTURE')
        ? [join(dir, entry.name)]
        : [],
  );

const files = ['language', 'built-ins'].flatMap((part) => walk(join(root, 'test', part)).sort());
const wanted = files
  .filter((file) => file.includes(options.only))
  .filter((_file, index) => index % Number(options.every) === 0);
const runner = await createScriptRunner({ engine: options.engine, threads: 2 });
const counts = new Map();
const skipped = new Map();
const count = (part, key) => counts.set(part, { ...counts.get(part), [key]: (counts.get(part)?.[key] ?? 0) + 1 });

async function runOne(file) {
  const path = relative(root, file);
  const part = path.split('/')[1];
  const text = readFileSync(file, 'utf8');
  const matter = frontMatter(text);
  const reason = skipReason(options.engine, `/${path}`, matter, text);
  if (reason) {
    skipped.set(reason, (skipped.get(reason) ?? 0) + 1);
    return;
  }
  const limits = { cpuMs: 5_000, sourceBytes: 4 << 20 };
  const result = await runner.run({ tenantId: 'test262', source: sourceOf(text, matter), limits });
  const ok = passed(result, matter);
  count(part, ok ? 'passed' : 'failed');
  if (!ok && options.failures)
    process.stdout.write(
      `${path} [${matter.features.join()}] ${result.outcome}: ${result.error?.name ?? ''} ${(result.error?.message ?? JSON.stringify(result.value) ?? '').slice(0, 160)}\n`,
    );
}

const queue = wanted.values();
await Promise.all(
  Array.from({ length: 3 }, async () => {
    for (const file of queue) await runOne(file);
  }),
);
await runner.close();
for (const [part, { passed: good = 0, failed = 0 }] of counts)
  process.stdout.write(
    `${options.engine} ${part}: ${good} of ${good + failed} (${((100 * good) / (good + failed)).toFixed(1)} %)\n`,
  );
for (const [reason, number] of skipped) process.stdout.write(`  skipped ${number}: ${reason}\n`);
