import { runInNewContext } from 'node:vm';
import type { Language } from '../../protocol/script.js';
import { compileSource } from './compile-script.js';
import { offsetFinder } from './edits.js';

function compile(source: string, language: Language = 'javascript') {
  const result = compileSource({ source, language, engine: 'quickjs' });
  if (!result.ok) throw new Error(`${result.error.name}: ${result.error.message}\n${result.error.frame}`);
  return result.script;
}

function fault(source: string, language: Language = 'javascript') {
  const result = compileSource({ source, language, engine: 'quickjs' });
  if (result.ok) throw new Error(`compiled: ${result.script.code}`);
  return result.error;
}

/** Runs the compiled body as an engine would: inside a function. */
function run(source: string, language: Language = 'javascript'): unknown {
  const { code, async } = compile(source, language);
  return runInNewContext(`(${async ? 'async ' : ''}function(){${code}\n})()`);
}

describe('the value of a script', () => {
  // The value eval() gives is the oracle.
  it.each([
    '1 + 1',
    '1 + 1;',
    '1; var a = 2',
    '1; function f() {}',
    '1; let a = 3; const b = 4; class C {}',
    '1;;;',
    '1 // comment',
    '1 /* comment */',
    '1; // comment without newline',
    '',
    '// only a comment',
    "'use strict'",
    "'use strict'; 5",
    "'use strict'; var a = 1",
    "'use strict'; if (true) 5",
    'var a = 1',
    '({}).toString()',
    '(function () { return 7 })()',
    '{ 1; 2 }',
    '{}',
    '5; {}',
    '5; { let a = 1 }',
    'if (true) 1; else 2',
    'if (false) 1; else 2',
    '9; if (false) 1',
    '9; if (true) {}',
    'if (true) { 1; if (false) 2 }',
    'for (var i = 0; i < 3; i++) i * 10',
    'for (var i = 0; i < 3; i++) { i; var x = 1 }',
    'for (var i = 0; i < 3; i++) if (i === 1) "x"',
    '7; for (var i = 0; i < 0; i++) i',
    '1; do { try { 39 } finally { 42; break } } while (0)',
    '1; do { try { 39 } finally { break } } while (0)',
    '1; l: { try { 2 } finally { if (true) { 3; break l } } }',
    'do { try { 39; break } finally { 42 } } while (0)',
    'for (var i = 0; i < 2; i++) { try { i } finally { if (i) { "last"; continue } } }',
    'do { try { throw 1 } catch { 39 } finally { 42; try { 43 } finally { 44; break } } } while (0)',
    'var $val\\u0075e = 7; do { $val\\u{75}e } while (0)',
    '("use strict"); undeclared = 5; delete globalThis.undeclared',
    'for (const a of [1, 2, 3]) a',
    'for (const a in { x: 1, y: 2 }) a',
    'var i = 0; while (i < 3) i++',
    'var i = 0; while (true) { i++; if (i > 3) break }',
    'var i = 0; do i++; while (i < 3)',
    'var i = 0; do i++\nwhile (i < 3)\n',
    'do { 1; break } while (true)',
    'do { 1; continue } while (false)',
    'try { 1 } finally { 2 }',
    'try { 1; throw 0 } catch { }',
    'try { throw 0 } catch (e) { e; 4 }',
    '3; try {} finally {}',
    'switch (2) { case 1: 1; case 2: 2; case 3: 3; break; default: 4 }',
    '8; switch (2) {}',
    'a: { 1; break a; 2 }',
    '6; a: { break a; 2 }',
    'a: for (var i = 0; i < 3; i++) { i; for (;;) continue a }',
    'a: while (true) { b: while (true) { 3; break a } }',
    'if (true) a: for (var i = 0; i < 2; i++) { i; continue a }',
    'with ({ z: 4 }) z',
    'if (1) if (0) 5; else 6; else 7',
    'if (1) try { 5 } finally { 6 }',
    'var $value = 3; if (true) $value',
    '1, 2, 3',
    'a = b = 3',
    '`x${1}y`',
    'f(); function f() { return 4 }',
    'var x = 1\n;[x].length',
    'let v = 2\nif (v) v\n',
    '5;\nvar y = 1\n',
    'while (false) ;',
    '"a"; ; 1, 2; var q',
  ])('%j is what eval gives', (source) => {
    expect(run(source)).toEqual(runInNewContext(source));
  });

  it.each([
    ['await 5', 5],
    ['const a = await 1; a + 1', 2],
    ['if (true) { await 2 }', 2],
    ['{ for await (const a of [1, 2]) a }', 2],
    ['await (3)', 3],
    ['const { a = await 4 } = {}; a', 4],
    ['[await 1, await 2].length', 2],
  ])('%j is awaited', async (source, value) => {
    expect(compile(source).async).toBe(true);
    await expect(run(source)).resolves.toBe(value);
  });

  it.each(['async function f() { await 1 }', 'var await = 1; await', 'const f = async () => { await 1 }'])(
    '%j needs no async function',
    (source) => expect(compile(source).async).toBe(false),
  );

  it('keeps the directive prologue a prologue', () => {
    expect(() => run("'use strict'; undeclared = 1")).toThrow(/undeclared is not defined/);
  });

  it('accepts a hashbang and a byte order mark', () => {
    expect(run('#!/usr/bin/env node\n4')).toBe(4);
    expect(run('\ufeff4')).toBe(4);
  });
});

describe('a source that is not a program of its own', () => {
  it.each([
    ['}); evil(); (function(){', 1, 1],
    ['})();evil();(()=>{', 1, 1],
    ['1; }', 1, 4],
    ['{ {', 1, 4],
    ['const a = ;', 1, 11],
    ['a\n  b c', 2, 3],
    ['/* open', 1, 8],
    ['`open', 1, 6],
    ['return 5', 1, 1],
    ['if (1) { return }', 1, 10],
    ['new.target', 1, 1],
    ['import a from "b"', 1, 1],
    ['\n export const a = 1', 2, 2],
    ['export default 1', 1, 1],
    ['x = import("a")', 1, 5],
    ['import.meta', 1, 1],
    ['var a = 1, b;\na <!--b', 2, 1],
    ['<div/>', 1, 1],
    ['let a: number = 1', 1, 8],
    ['a as string', 1, 1],
    ['interface A {}', 1, 1],
    ['enum A {}', 1, 1],
    ['class A { private x = 1 }', 1, 11],
  ])('%j is refused at its place', (source, line, column) => {
    expect(fault(source)).toMatchObject({ name: 'SyntaxError', line, column });
  });

  it.each(['('.repeat(100_000), '['.repeat(100_000), '{'.repeat(50_000), '`${'.repeat(20_000), '!'.repeat(100_000)])(
    'nesting without end (%.6s...) is a SyntaxError',
    (source) => {
      expect(fault(source).name).toBe('SyntaxError');
    },
  );

  it('shows a frame with a caret', () => {
    expect(fault('const a = 1;\nconst b = ;\nconst c = 3;').frame).toBe(
      ['  1 | const a = 1;', '> 2 | const b = ;', '    |           ^', '  3 | const c = 3;'].join('\n'),
    );
  });
});

describe('TypeScript', () => {
  it.each<[string, unknown]>([
    ['const a: number = 1; a', 1],
    ['let a!: number; a = 2; a', 2],
    ['function f<T>(this: void, a: T, b?: number): T { return a } f<number>(3)', 3],
    ['function f(a: string): string; function f(a: number): number; function f(a: any) { return a } f(4)', 4],
    ['interface A { b: string } type C = A | undefined; 5', 5],
    ['const a = 1\ntype B = string\n;(a)', 1],
    ['const a = 6\ntype B = string\n[1].length', 1],
    ['(7 as unknown as string)', 7],
    ['const f = (x: any) => x as number\n;[8].map(f)[0]', 8],
    ['const o = { a: 1 } satisfies object\n;[o.a].length', 1],
    ['const x = <any>9; x', 9],
    ['const a: { b?: number } | undefined = { b: 10 }; a!.b!', 10],
    [
      'class A<T> implements B { private readonly x: number = 11; static y?: string; get z(): number { return this.x } } interface B {} new A<string>().z',
      11,
    ],
    ['class A { a = 1\n private ["b"] = 12\n declare c: string; [key: string]: unknown } new A().b', 12],
    ['class A { a = 1 as number\n ["b"] = 13 } new A().b', 13],
    [
      'abstract class A { abstract f(): number; g() { return this.f() } } class B extends A { override f() { return 14 } } new B().g()',
      14,
    ],
    ['class A { constructor(private x: number, public y = 2) { } s() { return this.x + this.y } } new A(13).s()', 15],
    ['class A { } class B extends A { constructor(readonly x: number) { super(); this.x += 1 } } new B(15).x', 16],
    ['enum E { A, B = 5, C, D = "d" } E.C + E.D + E[5]', '6dB'],
    ['const enum E { A = 1 << 2, B = A | 1 } E.B', 5],
    ['const f = (a: number): Array<\n number\n> => [a]; f(17)[0]', 17],
    ['const f = async <T,>(a: T): Promise<T> => a; typeof f', 'function'],
    ['const f = <T>(a: T) => a; f(18)', 18],
    [
      'declare const x: number; declare function g(): void; declare module "m" { const a: 1 } namespace N { export type A = 1 } 19',
      19,
    ],
    ['try { throw 20 } catch (e: unknown) { e }', 20],
    ['new Map<string, number>([["a", 21]]).get("a")', 21],
    ['const f = (x?: number, ...rest: number[]) => x ?? rest.length; f()', 0],
    ['type A = { a: 1 }\nif (true) 22', 22],
    ['const x = 23 as const\n;`${x}`.length', 2],
    ['function assert(x: unknown): asserts x is string {} assert(1); 24', 24],
    ['let u: unique symbol; let t: typeof u; let k: keyof typeof String; let c: abstract new () => void; 25', 25],
    ['const o = { f<T>(this: any, a: T): T { return a }, get g(): number { return 26 } }; o.g', 26],
    ['for (const a of [27] as number[]) a', 27],
    ['28 as number', 28],
    ['29!', 29],
    ['class A { x?: number\n y: string\n f?(): void\n } "y" in new A()', true],
    ['const a = 1 < 2, b = [3] as number[], c = b[0]! > 1 ? 30 : 31; c', 30],
  ])('%j runs without its types', (source, value) => {
    expect(run(source, 'typescript')).toEqual(value);
  });

  it('keeps every character in its place', () => {
    const source = 'const total: number = order.amount as number;\ninterface Row { id: string }\nfail<Row>(total!);\n';
    const { code } = compile(`${source}var end;`, 'typescript');
    for (const word of ['total', 'order', 'amount']) expect(code.indexOf(word)).toBe(source.indexOf(word));
    expect(code.split('\n')[2]!.indexOf('fail')).toBe('return ('.length);
  });

  it('maps what it inserted', () => {
    const source = 'if (a) {\n  one\n  two(3)\n}';
    const { code, positions } = compile(source);
    if (positions.kind !== 'insertions') throw new Error('a quickjs script has insertions');
    for (const word of ['if', 'one', 'two', '3'])
      expect(offsetFinder(positions.insertions)(code.indexOf(word))).toBe(source.indexOf(word));
  });

  it.each([
    ['namespace N { export const a = 1 }', 1, 1, /Namespaces/],
    ['@dec class A {}', 1, 1, /Decorators/],
    ['class A { @dec x = 1 }', 1, 11, /Decorators/],
    ['import type { A } from "b"', 1, 1, /import/],
    ['const a: = 1', 1, 10, /Type expected/],
    ['class A {} class B extends A { constructor(readonly x) { if (1) super() } }', 1, 32, /super/],
  ])('%j is refused with a reason', (source, line, column, message) => {
    expect(fault(source, 'typescript')).toMatchObject({ line, column, message: expect.stringMatching(message) });
  });
});
