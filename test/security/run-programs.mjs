// Runs hostile programs on one engine, each beside a neighbour's well-behaved run, and prints what became of them: one JSON
// line each. A process of its own, so that a program that ends the process is seen as one.
//   node test/security/run-programs.mjs <engine>
import { createScriptRunner } from '../../libs/sandbox/dist/esm/processor/pool/script-runner.js';
import { programs } from './programs.mjs';

const engine = process.argv[2] ?? 'quickjs';
const only = process.argv[3];
const runner = await createScriptRunner({ engine, threads: 2 });

/** What the bridge was given that it must never see. */
const intrusions = [];

function watch(args) {
  if (Object.prototype.polluted !== undefined || Array.prototype.polluted !== undefined) intrusions.push('pollution');
  for (const arg of args) if (Object.assign({}, arg).polluted !== undefined) intrusions.push('__proto__');
}

const bridge = {
  query: async (...args) => (watch(args), [{ id: '1', at: new Date(0) }]),
  execute: async (...args) => (watch(args), []),
  sendEmail: async (...args) => (watch(args), 1),
  'stock.take': async (...args) => (watch(args), { left: 3 }),
  'stock.fail': async () => {
    throw Object.assign(new Error('none left'), { code: 'OUT_OF_STOCK', secret: '/etc/passwd', cause: process.env });
  },
  'stock.large': async () => 'x'.repeat(4 * 1024 * 1024),
  'stock.odd': async () => 10n,
  'stock.hang': () => new Promise(() => {}),
};

const NEIGHBOUR =
  'const rows = context.query({}); let sum = 0; for (let i = 0; i < 1000; i++) sum += i; [rows.length, sum, context.tenantId]';
const WITNESS = `[
  typeof leak, ({}).polluted === undefined, [].polluted === undefined, JSON.stringify([1]), [3, 1, 2].map((x) => x + 1).sort().join(),
  String(Object.getOwnPropertyNames(Object.prototype).includes('polluted')), typeof context.query, context.limits.queries,
  Math.max(1, 2), "abc".slice(1), typeof stolen, await Promise.resolve(4), Object.isFrozen(Object.prototype),
]`;
const WITNESSED = ['undefined', true, true, '[1]', '2,3,4', 'false', 'function', 100, 2, 'bc', 'undefined', 4, false];

async function runOne({ category, title, source, run }) {
  const startedAt = performance.now();
  const limits = { cpuMs: 250, memoryBytes: 32 * 1024 * 1024, wallMs: 5_000, ...run.limits };
  const attack = runner.run({ tenantId: 'acme', source, bridge, input: { record: { id: '1' } }, ...run, limits });
  const neighbour = runner.run({ tenantId: 'globex', source: NEIGHBOUR, bridge });
  const [result, beside] = await Promise.all([attack, neighbour]);
  const tookMs = performance.now() - startedAt;
  const after = await runner.run({ tenantId: 'globex', source: WITNESS, bridge });
  const { outcome, value, error, logs, usage } = result;
  return {
    category,
    title,
    outcome,
    hasValue: 'value' in result,
    value: JSON.stringify(value)?.length > 10_000 ? 'large' : value,
    error: error && { ...error, message: error.message.slice(0, 300), frame: error.frame?.slice(0, 300) },
    shown: JSON.stringify({ value, error, logs }).match(
      /file:\/\/|node:internal|node_modules|thread\.main|\/dist\/|etc\/passwd/,
    )?.[0],
    neighbour: beside.outcome === 'ok' && JSON.stringify(beside.value) === '[1,499500,"globex"]',
    witness: after.outcome === 'ok' && JSON.stringify(after.value) === JSON.stringify(WITNESSED),
    witnessed: after.value ?? after.error?.message,
    intrusions: intrusions.splice(0),
    overtimeMs: Math.round(usage.cpuMs - limits.cpuMs),
    tookMs: Math.round(tookMs),
  };
}

await runner.run({ tenantId: 'acme', source: WITNESS, bridge });
for (const program of programs) {
  if (only && !`${program.category} ${program.title}`.includes(only)) continue;
  console.log(JSON.stringify(await runOne(program)));
}
await runner.close();
console.log(JSON.stringify({ done: true, rssMb: Math.round(process.memoryUsage().rss / 1e6) }));
