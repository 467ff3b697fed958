import type { RawError } from '../../protocol/raw-error.js';
import { compileSource } from './compile-script.js';
import { explainError } from './diagnostics.js';
import { decodeMappings, encodeMappings } from './source-map.js';

/** Compiles, and explains an error at the place of a word in the compiled code, as QuickJS counts places. */
function errorAt(
  source: string,
  word: string,
  raw: Partial<RawError> = {},
  language: 'javascript' | 'typescript' = 'javascript',
) {
  const result = compileSource({ source, language, engine: 'quickjs' });
  if (!result.ok) throw new Error(result.error.message);
  const script = { ...result.script, hash: '' };
  const before = script.code.slice(0, script.code.indexOf(word)).split('\n');
  const position = { line: before.length, column: Array.from(before.at(-1)!).length + 1 };
  return explainError({ name: 'TypeError', message: 'boom', position, ...raw }, script, source);
}

describe('explainError', () => {
  it.each<[string, string, number, number]>([
    ['fail()', 'fail', 1, 1],
    ['a;\n  fail()', 'fail', 2, 3],
    ['if (a) {\n  fail()\n}', 'fail', 2, 3],
    ['if (a) b; else fail()', 'fail', 1, 16],
    ['try { x } catch (e) { y; fail() }', 'fail', 1, 26],
    ['for (;;) if (a) fail()', 'fail', 1, 17],
    ['"€😀" + fail()', 'fail', 1, 9],
    ['\tfail()', 'fail', 1, 2],
    ['a\r\nb\r\nfail()', 'fail', 3, 1],
    ['#!/bin/node\nfail()', 'fail', 2, 1],
    ['function f() {\n  return fail()\n}\nf()', 'fail', 2, 10],
    ['let a = 1, b = 2; fail(); var c', 'fail', 1, 19],
  ])('%j: %s stands at line %d, column %d', (source, word, line, column) => {
    expect(errorAt(source, word)).toMatchObject({ line, column });
  });

  it('maps through blanked types', () => {
    const source = 'enum E { A }\nclass C { constructor(private x: number) { fail(x) } }\nnew C(1 as any)';
    expect(errorAt(source, 'fail', {}, 'typescript')).toMatchObject({ line: 2, column: 44 });
  });

  it('shows the frame', () => {
    expect(errorAt('const order = 1;\norder.customer.name;\nsetResult(1);', 'name').frame).toBe(
      ['  1 | const order = 1;', '> 2 | order.customer.name;', '    |                ^', '  3 | setResult(1);'].join(
        '\n',
      ),
    );
  });

  it('shows the part of a long line around the column', () => {
    const frame = errorAt(`${'a;'.repeat(5_000)}fail();${'b;'.repeat(5_000)}`, 'fail').frame!;
    const [line, caret] = frame.split('\n') as [string, string];
    expect(line.length).toBeLessThan(140);
    expect(line.slice(caret.indexOf('^'))).toMatch(/^fail/);
  });

  it('writes the stack with the script itself as <script>, and drops frames that are not its own', () => {
    const { stack } = errorAt('function f() {\n  fail()\n}\nf()', 'fail', {
      frames: [
        { name: 'f', line: 2, column: 3 },
        { name: 'prelude', line: 400, column: 1 },
        { name: '', line: 4, column: 9 },
      ],
    });
    expect(stack).toBe('TypeError: boom\n    at f (2:3)\n    at <script> (4:1)');
  });

  it('takes the place of the first frame where the error has none', () => {
    expect(errorAt('a;\nb', 'b', { position: undefined, frames: [{ name: '', line: 2, column: 9 }] }).line).toBe(2);
  });

  it('has no place for a position outside of the script', () => {
    const error = errorAt('a', 'a', { position: { line: 99, column: 1 } });
    expect(error).toEqual({ name: 'TypeError', message: 'boom' });
  });

  it('caps whatever a script may blow up', () => {
    const frames = Array.from({ length: 500 }, () => ({ name: 'f'.repeat(1_000), line: 1, column: 1 }));
    const error = errorAt('a', 'a', { name: 'N'.repeat(1e6), message: 'm'.repeat(1e7), code: 'c'.repeat(1e6), frames });
    expect(JSON.stringify(error).length).toBeLessThan(10_000);
    expect(errorAt('a', 'a', { message: '😀'.repeat(2_000).padStart(4_001, 'x') }).message).not.toMatch(
      /[\ud800-\udbff]\.\.\.$/,
    );
  });

  it.each([NaN, -1, 0, Infinity, 2 ** 53, 1.5])('survives the column %d', (column) => {
    expect(() => errorAt('a', 'a', { position: { line: 1, column } })).not.toThrow();
    expect(() => errorAt('a', 'a', { position: { line: column, column: 1 } })).not.toThrow();
  });
});

/** A failure with a full stack at the end of a script, as an engine reports it. */
function failureAtTheEnd(source: string, engine: 'quickjs' | 'js-interpreter', hash: string): () => void {
  const result = compileSource({ source, language: 'javascript', engine });
  if (!result.ok) throw new Error(result.error.message);
  const script = { ...result.script, hash };
  const lines = script.code.trimEnd().split('\n');
  const position = { line: lines.length, column: Math.max(1, lines.at(-1)!.length - 1) };
  const raw: RawError = { name: 'E', message: 'm', frames: Array(20).fill({ name: 'f', ...position }), position };
  return () => expect(explainError(raw, script, source).line).toBeGreaterThan(0);
}

/** Milliseconds of the fastest of ten. */
function fastest(action: () => void): number {
  const times = Array.from({ length: 10 }, () => {
    const startedAt = performance.now();
    action();
    return performance.now() - startedAt;
  });
  return Math.min(...times);
}

describe('a script that fails again and again', () => {
  it.each([
    ['of one line', 'a;'.repeat(50_000), 'quickjs'],
    ['of one line of wide characters', '"😀";'.repeat(12_000), 'quickjs'],
    ['of 50,000 lines', 'a\n'.repeat(50_000), 'quickjs'],
    ['of empty lines', `${'\n'.repeat(99_000)}a;a`, 'quickjs'],
    ['of one line, with a large map', 'a;'.repeat(20_000), 'js-interpreter'],
    ['of 20,000 lines, with a large map', 'a\n'.repeat(20_000), 'js-interpreter'],
  ] as const)('costs the process that says so no more for its size: %s', (what, source, engine) => {
    const small = fastest(failureAtTheEnd('a;a;a', engine, `small ${engine}`));
    // before positions were kept and searched by halves: 600 to 8,000 times as long
    expect(fastest(failureAtTheEnd(source, engine, what))).toBeLessThan(20 * small + 1);
  });

  it('is explained by its own source, even where another one has the same hash', () => {
    const places = ['a;\nfail()', 'a;\n\nfail()'].map((source) => errorAt(source, 'fail').line);
    expect(places).toEqual([2, 3]);
  });
});

describe('source maps', () => {
  it('survive encoding and decoding', () => {
    const lines = [
      [
        { generatedColumn: 0, line: 3, column: 5 },
        { generatedColumn: 40, line: 0, column: 70_000 },
      ],
      [],
      [{ generatedColumn: 7, line: 2, column: 1 }],
    ];
    expect(decodeMappings(encodeMappings(lines))).toEqual(lines);
  });
});
