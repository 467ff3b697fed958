import jsInterpreter from 'js-interpreter';
import { compileSource } from './compile-script.js';
import { scriptPlaces } from './position-map.js';

function lower(source: string) {
  const result = compileSource({ source, language: 'javascript', engine: 'js-interpreter' });
  if (!result.ok) throw new Error(result.error.message);
  return { ...result.script, hash: '' };
}

const parser = (jsInterpreter as unknown as { prototype: { parse_(code: string, file: string): unknown } }).prototype;

describe('lowering to ES5', () => {
  it.each([
    'class A { #p = 1; static s = 2; get g() { return this.#p } static { this.t = 1 } async *m() { yield 1 } }',
    'const { a, ...rest } = {}; for (const [k, v] of Object.entries(rest)) await k',
    'let x = 10n ** 2n; x ??= 1; const y = x?.z?.[0] ?? `t${x}`; 1_000',
    'const r = /(?<year>\\d+)/dsu, s = /a/y',
    'const café = 1, π = 2, { ℘ } = { ℘: 3 }; class C { #℘ = 1; get ℘() { return this.#℘ } }',
    'function f(a, b = a, ...c) { return () => arguments.length + new.target }',
    'label: for (const x of []) for (;;) continue label',
    'try { } catch { } finally { }',
    'const o = { get a() { return 1 }, async b() {}, *c() {}, ["d" + 1]: 2, default: 3, class: 4 }; o.class',
    '"use strict"; 1',
    '#!/bin/node\n1',
    '',
  ])('%j becomes what the parser of js-interpreter accepts', (source) => {
    expect(() => parser.parse_(`(function () {${lower(source).code}\n})`, '')).not.toThrow();
  });

  it('brings no helpers along', () => {
    expect(lower('class A extends Object { async m() { await [...[1]] } }').code).not.toMatch(/var __\w+ =/);
  });

  it.each<[string, string, number, number]>([
    ['const a = 1;\nfail(a)', 'fail', 2, 1],
    ['await 1;\n  fail()', 'fail', 2, 3],
    ['const f = (x) => {\n  return x.y;\n};\nf', 'x.y', 2, 10],
    ['if (1) { fail() }', 'fail', 1, 10],
    ['class A {\n  m() {\n    fail()\n  }\n}', 'fail', 3, 5],
    ['const \u2028 a = 1;\nfail()', 'fail', 2, 1],
    ['a\r\n\r\nfail()', 'fail', 3, 1],
  ])('%j: %s stands at line %d, column %d', (source, word, line, column) => {
    const script = lower(source);
    const before = script.code.slice(0, script.code.indexOf(word)).split('\n');
    const { find } = scriptPlaces(script, source);
    expect(find({ line: before.length, column: before.at(-1)!.length + 1 })).toEqual({ line, column });
  });

  it.each([
    ['let a;\n  let a', 2, 7],
    ['const [...a, b] = c', 1, 8],
    ['function f() { "use strict"; with (a) {} }', 1, 30],
    ['/(/', 1, 1],
    ['for (const x = 1 of []) {}', 1, 12],
    ['async () => { await = 1 }', 1, 15],
    ['class A { constructor() {} constructor() {} }', 1, 28],
    ['a = { b() { super() } }', 1, 13],
    ['a = { b() { return () => super.c } }', 1, 7],
  ])('%j is refused, though TypeScript would lower it', (source, line, column) => {
    const result = compileSource({ source, language: 'javascript', engine: 'js-interpreter' });
    expect(result.ok).toBe(false);
    expect(!result.ok && result.error).toMatchObject({ name: 'SyntaxError', line });
    expect(!result.ok && Math.abs(result.error.column! - column)).toBeLessThan(8);
  });
});
