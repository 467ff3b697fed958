// Runs QuickJS without threads and compares hashes of its memory; prints one JSON object. A process of its own, because the
// wasm module is loaded by a dynamic import, which Jest has not.
import { DEFAULT_LIMITS } from '../../libs/sandbox/dist/esm/protocol/limits.js';
import { quickJsModule } from '../../libs/sandbox/dist/esm/processor/pool/thread-entry.js';
import { compileSource } from '../../libs/sandbox/dist/esm/scripts/compiler/compile-script.js';
import { QuickJsEngine } from '../../libs/sandbox/dist/esm/thread/engines/quickjs/quickjs.engine.js';
import { programs } from './programs.mjs';

const limits = { ...DEFAULT_LIMITS, memoryBytes: 32 * 1024 * 1024, cpuMs: 100 };
const methods = ['query', 'execute', 'sendEmail', 'stock.take', 'stock.fail', 'stock.large', 'stock.odd', 'stock.hang'];

function compile(source, language = 'javascript') {
  const compiled = compileSource({ source, language, engine: 'quickjs' });
  return compiled.ok ? { ...compiled.script, hash: source } : undefined;
}

async function play(engine, script, input = '{"tenantId":"acme"}') {
  await engine.load(script, limits);
  const startedAt = performance.now();
  const result = engine.run({
    script,
    input,
    limits,
    methods,
    pureMethods: [],
    deferred: false,
    call: () => '{"ok":true,"value":[{"id":"1"}]}',
    log: () => {},
    cpuMs: () => performance.now() - startedAt,
  });
  const stays = result.settles ? await engine.settle() : true;
  return { ...result, stays };
}

async function start() {
  const engine = new QuickJsEngine(quickJsModule());
  await play(engine, compile('1'));
  return { engine, pristine: engine.hashes()[0] };
}

/** Programs that an interrupt reaches: the others need a thread that can be ended. */
const reachable = programs.filter(
  ({ category, title }) =>
    !/CPU hogs|parser bombs/.test(category) && !/split|replace|huge|100,000 queries|catching the limit/.test(title),
);

async function traces() {
  let { engine, pristine } = await start();
  const found = [];
  let replaced = 0;
  for (const { category, title, source, run } of reachable) {
    const script = compile(source, run.language);
    if (!script) continue;
    const { settles, stays } = await play(engine, script);
    const [hash] = engine.hashes();
    // a sandbox that was replaced has a random seed of its own in its memory; a thread that was, a new engine
    if (!stays) ({ engine, pristine } = await start());
    else if (settles) pristine = hash;
    else if (hash !== pristine) found.push(`${category}: ${title}`);
    if (settles) replaced++;
  }
  return { found, replaced, tried: reachable.length };
}

async function repeated(times) {
  const { engine, pristine } = await start();
  const script = compile('globalThis.n = (globalThis.n || 0) + 1; context.query({}); n + ":" + context.record.id');
  const values = new Set();
  for (let i = 0; i < times; i++) {
    values.add((await play(engine, script, '{"tenantId":"acme","record":{"id":"7"}}')).value);
  }
  return { values: [...values], same: engine.hashes()[0] === pristine };
}

/** What the hash says where a run's memory is not written back: it must differ, or it proves nothing. */
async function unrestored() {
  const { engine, pristine } = await start();
  await play(engine, compile('globalThis.a = new Uint8Array(1 << 20).fill(7); 1'));
  const [{ sandbox }] = engine.workshops.values();
  return { same: sandbox.hash() === pristine };
}

console.log(
  JSON.stringify({ hostile: await traces(), repeated: await repeated(10_000), unrestored: await unrestored() }),
);
