import { DEFAULT_LIMITS, type Limits } from '../../../protocol/limits.js';
import { compileSource } from '../../../scripts/compiler/compile-script.js';
import { explainError } from '../../../scripts/compiler/diagnostics.js';
import type { EngineResult, EngineRun } from '../../engine.js';
import { createJsInterpreterEngine } from './js-interpreter.engine.js';

const engine = createJsInterpreterEngine();

interface Options extends Partial<EngineRun> {
  readonly limit?: Partial<Limits>;
}

function compile(source: string) {
  const result = compileSource({ source, language: 'javascript', engine: 'js-interpreter' });
  if (!result.ok) throw new Error(result.error.message);
  return { ...result.script, hash: source };
}

function run(source: string, { limit, ...options }: Options = {}): EngineResult {
  const limits = { ...DEFAULT_LIMITS, ...limit };
  const startedAt = performance.now();
  const script = compile(source);
  void engine.load(script, limits);
  return engine.run({
    script,
    input: '{"tenantId":"acme"}',
    limits,
    methods: ['query', 'execute', 'sendEmail', 'stock.take'],
    pureMethods: [],
    deferred: false,
    call: () => '{"ok":true,"value":[{"id":1}]}',
    log: () => undefined,
    cpuMs: () => performance.now() - startedAt,
    ...options,
  });
}

const MIB = 1024 * 1024;

describe('the js-interpreter engine', () => {
  it.each<[string, string, Partial<Limits>]>([
    ['a doubled string', 'let s = "x"; for (;;) { s += s; s.charCodeAt(0) }', {}],
    ['sixteen million one-character strings', '"x".repeat(1 << 23).split("").length', { memoryBytes: 16 * MIB }],
    ['a repeated string', '"x".repeat(2 ** 29)', {}],
    ['a padded string', '"".padStart(2 ** 29)', {}],
    ['a replaced string', '"a".repeat(1e6).replaceAll("a", "b".repeat(1e3))', {}],
    ['a string replaced by a pattern', '"a".repeat(1e5).replace(/a/g, "$`")', {}],
    ['a joined array', 'Array(1e6).fill("x".repeat(1e3)).join()', {}],
    ['a concatenated array', 'let a = [1, 2, 3]; for (;;) a = a.concat(a)', {}],
    ['a JSON text of shared parts', 'let a = {}; for (let i = 0; i < 60; i++) a = [a, a]; JSON.stringify(a)', {}],
    ['an array', 'const a = []; for (;;) a.push({})', {}],
    ['a map', 'const m = new Map(); for (let i = 0; ; i++) m.set(i, { i })', {}],
    ['closures', 'let f = () => 0; for (;;) { const g = f, big = [1, 2, 3]; f = () => [g, big] }', {}],
    ['private members', 'class A { #a = []; add() { this.#a.push([]) } } const a = new A(); for (;;) a.add()', {}],
    ['jobs', 'for (;;) Promise.resolve().then(() => {})', {}],
    ['short strings', 'const a = []; for (let i = 0; ; i++) a.push("item number " + i)', {}],
    ['symbols', 'const a = []; for (let i = 0; ; i++) a.push(Symbol("symbol ".repeat(50) + i))', {}],
    ['registered symbols', 'for (let i = 0; ; i++) Symbol.for("symbol " + i)', {}],
    ['big integers', 'const a = []; for (let i = 1n << 8000n; ; i++) a.push(i)', {}],
    [
      'arguments of bound functions',
      'const a = [], b = Array(1e3).fill(0); for (;;) a.push(isNaN.bind(null, ...b))',
      {},
    ],
    [
      'what jobs wait with',
      'for (let i = 0; ; i++) { const b = Array(99).fill(i); Promise.resolve().then(() => b) }',
      {},
    ],
    [
      'what promises wait with',
      'const p = new Promise(() => {}); for (;;) { const b = Array(99).fill(0); p.then(() => b) }',
      {},
    ],
    [
      'stacks of errors',
      'const a = []; (function f(n) { if (n) f(n - 1); else for (;;) a.push(new Error()) })(30)',
      {},
    ],
    ['what iterators iterate over', 'const a = []; for (;;) a.push(Array(300).fill(1).values())', {}],
    [
      'functions made of texts',
      'const a = []; for (let i = 0; ; i++) a.push(Function(`return "${"x".repeat(2000)}${i}"`))',
      {},
    ],
    ['an encoded string', 'encodeURIComponent("\\u4e2d".repeat(1 << 23))', {}],
    [
      'long texts that share their parts',
      'const s = "x".repeat(1e6), a = []; for (let i = 0; ; i++) { const t = s + i; t.charCodeAt(0); a.push(t) }',
      {},
    ],
  ])('ends a run that hoards %s', (_title, source, limit) => {
    const { outcome } = run(source, { limit: { memoryBytes: 24 * MIB, cpuMs: 20_000, ...limit } });
    expect(outcome).toBe('exceededMemory');
  });

  it.each([
    'let n = 0; for (let i = 0; i < 300000; i++) { const o = { i, a: [i] }; n += o.a.length }\nn',
    'let s = ""; for (let i = 0; i < 20000; i++) s = "line " + i + s.slice(0, 1000);\ns.length',
  ])('lets a run make garbage: %s', (source) => {
    expect(run(source, { limit: { memoryBytes: 16 * MIB, cpuMs: 20_000 } }).outcome).toBe('ok');
  });

  it.each([
    'for (;;);',
    '[].indexOf.call({ length: 9e15 }, 1)',
    '[3, 2, 1].sort(() => { for (;;); })',
    'JSON.stringify({ toJSON() { for (;;); } })',
    '({ toString() { for (;;); } }) + ""',
    'Promise.resolve().then(function f() { return Promise.resolve().then(f) })',
    'const a = []; a[0] = a; for (;;) [a, a].toString()',
    '[...function* () { for (;;) yield* [] }()]',
    'for (;;) try { throw 1 } catch {} finally { continue }',
    'new Proxy({}, { get() { for (;;); } }).x',
  ])('stops %s at its limit', (source) => {
    const startedAt = performance.now();
    expect(run(source, { limit: { cpuMs: 50 } }).outcome).toBe('exceededCpu');
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  it.each([
    '(function f() { f() })()',
    'const o = {}; o.toString = () => "" + o; "" + o',
    'let a = []; for (let i = 0; i < 1e5; i++) a = [a]; String(a)',
    'let a = []; for (let i = 0; i < 1e5; i++) a = [a]; JSON.stringify(a)',
    'JSON.parse("[".repeat(1e5) + "]".repeat(1e5))',
    'eval("(".repeat(1e5))',
    'const p = new Proxy({}, {}); Object.setPrototypeOf(p, p); p.x',
    'let f = () => 1; for (let i = 0; i < 1e5; i++) f = f.bind(null); f()',
  ])('survives the depth of %s', (source) => {
    expect(['exception', 'ok', 'exceededMemory']).toContain(run(source, { limit: { cpuMs: 10_000 } }).outcome);
  });

  it.each([
    ['"a\u2028b".length', '3'],
    ["`${'\u2029'}`.length", '1'],
    ['("use strict"); (function () { return typeof this })()', '"object"'],
    ['"use strict"; (function () { return typeof this })()', '"undefined"'],
    ['var __read = 5, [a] = [__read]; a', '5'],
    ['const __values = 1; const o = { __values }; for (const { __values: b } of [o]) b + o.__values', '2'],
    [
      'function __assign(a) { return { ...a, b: 2 } } JSON.stringify(__assign({ a: 1 }))',
      JSON.stringify('{"a":1,"b":2}'),
    ],
  ])('%j gives %s', (source, value) => {
    expect(run(source)).toMatchObject({ outcome: 'ok', value });
  });

  it('starts every run from the same realm, whatever the runs before did', () => {
    const hostile = [
      'for (const k of Object.getOwnPropertyNames(globalThis)) try { globalThis[k] = k } catch {}',
      'for (const o of [Object, Array, String, Promise, Map, Symbol.prototype, Error]) for (const k of Reflect.ownKeys(o.prototype ?? o)) try { (o.prototype ?? o)[k] = null } catch {}',
      'Object.setPrototypeOf(Array.prototype, { leak: 1 }); Object.freeze(Object.prototype)',
      'new WeakMap().set(Array.prototype, 1); Symbol.for("leak"); __generator = __awaiter = null',
      'delete Array.prototype.push; Object.defineProperty(Object.prototype, "leak", { get: () => 1 }); Math.PI = 3',
      'Function.prototype.call = null; Array.prototype[Symbol.iterator] = () => ({ next: () => ({ done: true }) })',
    ];
    const witness = `const names = []; const seen = new Set();
      const walk = (o, path) => { if (!(Object(o) === o) || seen.has(o)) return; seen.add(o);
        names.push(path + Object.isExtensible(o)); walk(Object.getPrototypeOf(o), path + '^');
        for (const k of Reflect.ownKeys(o)) { const d = Reflect.getOwnPropertyDescriptor(o, k); names.push(path + String(k) + typeof d.value + d.writable + d.enumerable); walk(d.value ?? d.get, path + '.' + String(k)); } };
      walk(globalThis, ''); names.length + ':' + names.join().split('').reduce((h, c) => (h * 31 + c.charCodeAt(0)) | 0, 7)`;
    const before = run(witness, { limit: { cpuMs: 10_000 } });
    expect(before.outcome).toBe('ok');
    for (const source of hostile) run(source);
    expect(run(witness, { limit: { cpuMs: 10_000 } })).toEqual(before);
  });

  it.each<[string, number, number]>([
    ['const a = 1;\nnull.x', 2, 6],
    ['const o = {};\n  o.missing()', 2, 5],
    ['class A {\n  m() { throw new Error("e") }\n}\nnew A().m()', 2, 15],
    ['async function f() {\n  await 1;\n  undefined.y\n}\nawait f()', 3, 13],
    ['const f = (x) => {\n  return x.y.z\n};\n[1].map(f)', 2, 14],
    ['for (const x of [1]) {\n  nope(x)\n}', 2, 3],
    ['`a${\n  nope}`', 2, 3],
    ['const { a: { b } } = {}', 1, 24],
    ['throw "text"', 1, 1],
  ])('says where %j failed', (source, line, column) => {
    const { outcome, error } = run(source);
    expect(outcome).toBe('exception');
    expect(explainError(error!, compile(source), source)).toMatchObject({ line, column: expect.closeTo(column, -1) });
  });

  it('names the functions of the author alone in a stack', () => {
    const source =
      'async function outer() {\n  await 0;\n  inner();\n}\nconst inner = () => {\n  null.x;\n};\nawait outer();';
    const { stack } = explainError(run(source).error!, compile(source), source);
    expect(stack!.split('\n').map((line) => line.replace(/:\d+\)/, ')'))).toEqual([
      "TypeError: Cannot read properties of null (reading 'x')",
      '    at inner (6)',
      '    at outer (3)',
    ]);
  });

  it('reports where it stood when it was stopped', () => {
    const source = 'function spin() {\n  for (;;) spin.x;\n}\nspin()';
    const { outcome, error } = run(source, { limit: { cpuMs: 30 } });
    expect(outcome).toBe('exceededCpu');
    expect(explainError(error!, compile(source), source).line).toBe(2);
  });

  it('ends at once where the host has ended the run', () => {
    const source = 'for (;;) try { context.query({}) } catch {} finally { continue }';
    expect(run(source, { call: () => undefined }).outcome).toBe('cancelled');
  });
});
