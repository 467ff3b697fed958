// Runs many scripts in one engine of this thread, hostile ones among them, and prints what grew. Needs --expose-gc.
//   node --expose-gc test/security/check-growth.mjs <engine> <runs>
import { DEFAULT_LIMITS } from '../../libs/sandbox/dist/esm/protocol/limits.js';
import { quickJsModule } from '../../libs/sandbox/dist/esm/processor/pool/thread-entry.js';
import { compileSource } from '../../libs/sandbox/dist/esm/scripts/compiler/compile-script.js';
import { QuickJsEngine } from '../../libs/sandbox/dist/esm/thread/engines/quickjs/quickjs.engine.js';
import { createJsInterpreterEngine } from '../../libs/sandbox/dist/esm/thread/engines/js-interpreter/js-interpreter.engine.js';

const [id = 'quickjs', runs = '100000'] = process.argv.slice(2);
// a memory that never grows so far that its sandbox has to be replaced
const limits = { ...DEFAULT_LIMITS, memoryBytes: 8 * 1024 * 1024, cpuMs: 100 };
const engine = id === 'quickjs' ? new QuickJsEngine(quickJsModule()) : createJsInterpreterEngine();

const script = (source) => {
  const { script: compiled } = compileSource({ source, language: 'javascript', engine: id });
  return { ...compiled, hash: source };
};
const usual = script(
  'const rows = context.query({}); let sum = 0; for (const row of rows) sum += row.amount; log("sum", sum); sum + ":" + context.record.id',
);
/** More scripts than an engine keeps images of. */
const others = Array.from({ length: 300 }, (_, i) =>
  script(`const name = "script ${i}"; context.query({}).length + name`),
);
const hostile = [
  'globalThis.kept = []; for (let i = 0; i < 2000; i++) kept.push({ i }); Object.prototype.polluted = 1; 1',
  '(function f() { f() })()',
  'for (let i = 0; i < 200; i++) new Promise(() => {}).then(() => i); await new Promise(() => {})',
  'Promise.reject(new Error("nobody waits")); 1',
  'for (let i = 0; i < 200; i++) globalThis["leak" + i] = () => i; throw new Error("x".repeat(10000))',
  'const m = new Map(); for (let i = 0; i < 500; i++) m.set({ i }, new Error("e" + i)); m.size',
  'for (let i = 0; i < 100; i++) log("line".repeat(100))',
].map(script);
/** Fills its memory. */
const hoarder = script('const a = []; for (;;) a.push({ a: a.length })');

function scriptOf(number) {
  if (number % 5_000 === 4_999) return hoarder;
  if (number % 200 === 99) return hostile[((number / 200) % hostile.length) | 0];
  return number % 100 === 9 ? others[((number / 100) % others.length) | 0] : usual;
}

async function play(number, one = scriptOf(number)) {
  await engine.load(one, limits);
  const startedAt = performance.now();
  const { outcome, value, settles } = engine.run({
    script: one,
    input: `{"tenantId":"acme","record":{"id":"${number}"}}`,
    limits,
    methods: ['query'],
    pureMethods: [],
    deferred: false,
    call: () => '{"ok":true,"value":[{"amount":1},{"amount":2}]}',
    log: () => {},
    cpuMs: () => performance.now() - startedAt,
  });
  if (settles) await engine.settle();
  if (one === usual && value !== `"3:${number}"`) throw new Error(`Run ${number}: ${outcome} ${value}`);
}

const MB = 1024 * 1024;
function measure() {
  globalThis.gc();
  globalThis.gc();
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { rss: rss / MB, heap: heapUsed / MB, external: (external + arrayBuffers) / MB, hashes: engine.hashes?.() };
}

// the caches are full, and everything has been compiled by V8
for (const one of [...others, ...hostile]) await play(0, one);
for (let number = 0; number < 2_000; number++) await play(number);
const before = measure();
const startedAt = performance.now();
for (let number = 0; number < Number(runs); number++) await play(number);
const tookMs = performance.now() - startedAt;
const after = measure();
console.log(
  JSON.stringify({
    runs: Number(runs),
    tookMs: Math.round(tookMs),
    grownMb: {
      rss: after.rss - before.rss,
      heap: after.heap - before.heap,
      external: after.external - before.external,
    },
    same: JSON.stringify(before.hashes) === JSON.stringify(after.hashes),
    hashes: after.hashes,
  }),
);
