// What a hoarder makes of the process that js-interpreter runs in: a process of its own for each, whose size is looked at
// while the run lasts.
import { execFileSync } from 'node:child_process';
import { createScriptRunner } from '../../libs/sandbox/src/processor/pool/script-runner.js';

const MIB = 1024 * 1024;
const LIMIT = 32 * MIB;
/** What the process may grow by past the limit of the run. */
const MARGIN = 32 * MIB;

const hoards: readonly (readonly [title: string, source: string])[] = [
  ['short strings', 'const a = []; for (let i = 0; ; i++) a.push("item number " + i)'],
  [
    'strings that are not Latin',
    'const a = [], b = "中".repeat(200); for (let i = 0; ; i++) { const s = b + i; s.charCodeAt(3); a.push(s) }',
  ],
  ['symbols', 'const a = []; for (let i = 0; ; i++) a.push(Symbol("symbol " + i))'],
  ['long registered symbols', 'for (let i = 0; ; i++) Symbol.for("symbol ".repeat(100) + i)'],
  ['big integers', 'const a = [], b = 1n << 8000n; for (let i = 1n; ; i++) a.push(b + i)'],
  ['huge big integers', 'const a = []; for (let b = 1n; ; b = b * 2n + 1n) a.push(b)'],
  ['arguments of bound functions', 'const a = [], b = Array(1000).fill(0); for (;;) a.push(isNaN.bind(null, ...b))'],
  ['receivers of bound functions', 'const a = []; for (;;) a.push(isNaN.bind(Array(500).fill(1)))'],
  ['jobs', 'for (let i = 0; ; i++) { const b = Array(100).fill(i); Promise.resolve().then(() => b) }'],
  ['functions of promises', 'const a = []; for (;;) new Promise((resolve) => a.push(resolve))'],
  [
    'errors thrown from deep',
    'const a = []; (function f(n) { if (n) f(n - 1); else for (;;) try { null.x } catch (e) { a.push(e) } })(40)',
  ],
  ['closures', 'const a = []; for (let i = 0; ; i++) a.push(() => i)'],
  [
    'regular expressions',
    'const a = []; for (let i = 0; ; i++) { const r = RegExp(`a${i}(b|c)*`); r.test("foo"); r.test("bar"); a.push(r) }',
  ],
  ['properties', 'const o = {}; for (let i = 0; ; i++) o["key" + i] = i'],
  ['weak maps', 'const w = {}; for (;;) new WeakMap().set(w, Array(10).fill(0))'],
  ['generators', 'const a = []; function* g() { yield 1 } for (;;) { const i = g(); i.next(); a.push(i) }'],
  ['iterators', 'const a = []; for (;;) a.push(Array(300).fill(1).values())'],
  ['sparse arrays', 'const a = []; for (let i = 0; ; i++) a[(i * 5000) % 4294967000] = i'],
  [
    'functions from eval',
    'const a = []; for (let i = 0; ; i++) a.push(eval("(function () { return [1, 2].map(String) + " + i + " })"))',
  ],
  ['pieces of long strings', 'const a = []; for (let i = 0; ; i++) a.push(("x".repeat(1e5) + i).slice(10, 40))'],
  ['an array doubled', 'let a = [1, 2, 3]; for (;;) a = a.concat(a)'],
  ['a JSON text of numbers', 'JSON.parse("[" + "0.5,".repeat(2e6) + "1]")'],
];

/** The process that the runs of this one are in. @throws Error where there is none. */
function poolProcess(): string {
  const table = execFileSync('ps', ['-A', '-o', 'ppid=,pid=,args='], { encoding: 'utf8' });
  const rows = table.split('\n').map((line) => line.trim().split(/\s+/));
  const child = rows.find(
    ([parent, , ...args]) => parent === String(process.pid) && args.join().includes('pool-process'),
  );
  if (!child) throw new Error('There is no pool process.');
  return child[1]!;
}

/** Bytes of memory of a process; throws once it is gone. */
function residentBytes(pid: string): number {
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', pid], { encoding: 'utf8' })) * 1024;
}

async function hoard(source: string): Promise<{ outcome: string; grown: number }> {
  const limits = { memoryBytes: LIMIT, cpuMs: 4_000 };
  const runner = await createScriptRunner({ engine: 'js-interpreter', threads: 1, limits });
  try {
    await runner.run({
      tenantId: 'acme',
      source: 'const a = []; for (let i = 0; i < 2e4; i++) a.push({ i }); a.length',
    });
    const pid = poolProcess();
    const before = residentBytes(pid);
    let most = 0;
    const look = setInterval(() => (most = Math.max(most, residentBytes(pid))), 30);
    const { outcome } = await runner.run({ tenantId: 'acme', source });
    clearInterval(look);
    return { outcome, grown: Math.max(most, residentBytes(pid)) - before };
  } finally {
    await runner.close();
  }
}

describe('a process that scripts hoard in', () => {
  it.each(hoards)(
    'grows by no more than the limit and 32 MB: %s',
    async (_title, source) => {
      const { outcome, grown } = await hoard(source);
      expect(outcome).toMatch(/^exceeded(?:Memory|Cpu)$/);
      expect(grown).toBeLessThan(LIMIT + MARGIN);
    },
    60_000,
  );
});
