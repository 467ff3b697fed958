import { type ContractCase, ends, gives } from './contract-case.js';

/** The language: ES2023 or TypeScript in, the value of the last expression out. */
export const languageCases: readonly ContractCase[] = [
  gives('the value is that of the last expression', 'const a = 1; a + 1', 2),
  gives('an empty source gives no value', '', undefined),
  gives('a source of comments gives no value', '// nothing\n/* here */', undefined),
  gives('a declaration gives no value', 'const a = 1;', undefined),
  gives('top-level await is fine', 'const a = await Promise.resolve(20); a + 1', 21),
  gives('a value that is a promise is waited for', 'Promise.resolve(3)', 3),
  gives('async functions may be called and awaited', 'async function f(x) { return x * 2 }\nawait f(4)', 8),
  gives('jobs of promises run before the end', 'let n = 0; Promise.resolve().then(() => setResult(7)); n', 7),
  gives('async arrows keep their this and their arguments', 'const f = async (...a) => a.length; await f(1, 2)', 2),
  gives(
    'classes have fields, private members, accessors and static blocks',
    'class A { #n = 1; m = 2; get n() { return this.#n } static s; static { A.s = 3 } }\nconst a = new A();\n[a.n, a.m, A.s]',
    [1, 2, 3],
  ),
  gives(
    'classes inherit from classes and from Error',
    'class E extends Error { get name() { return "E" } }\nconst e = new E("x");\n[e instanceof E, e instanceof Error, e.name, e.message]',
    [true, true, 'E', 'x'],
  ),
  gives('generators work', 'function* g() { yield 1; yield* [2, 3] }\n[...g()]', [1, 2, 3]),
  gives(
    'Map, Set and for-of work',
    'const m = new Map([["a", 1]]); const s = new Set([1, 1, 2]); let n = 0;\nfor (const [k, v] of m) n += v;\n[n, s.size, [...s]]',
    [1, 2, [1, 2]],
  ),
  gives(
    'destructuring, spread, defaults and templates work',
    'const { a, ...rest } = { a: 1, b: 2, c: 3 }; const [x = 9, ...y] = [undefined, 4, 5];\n[`${a}-${x}`, rest, y, { ...rest, d: 1 }]',
    ['1-9', { b: 2, c: 3 }, [4, 5], { b: 2, c: 3, d: 1 }],
  ),
  gives(
    'optional chaining, nullish and logical assignment work',
    'let o = null; let p; p ??= 5; p ||= 6; p &&= 7;\n[o?.a?.b, o ?? 1, p, 2 ** 3]',
    [null, 1, 7, 8],
  ),
  gives('sort is stable and takes a comparator', '[3, 1, 2].sort((a, b) => b - a)', [3, 2, 1]),
  gives('sort without a comparator compares text', '[3, 10, 2].sort()', [10, 2, 3]),
  gives('slice, bind and at work', '[[1, 2, 3].slice(1), ((a, b) => a + b).bind(null, 1)(2), [1, 2].at(-1)]', [
    [2, 3],
    3,
    2,
  ]),
  gives('ES2023 array methods work', '[[3, 1].toSorted(), [1, 2].with(0, 9), [1, 2, 3].findLast((x) => x < 3)]', [
    [1, 3],
    [9, 2],
    2,
  ]),
  gives(
    'regular expressions have named groups and flags',
    'const m = /(?<y>\\d{4})-(?<m>\\d\\d)/u.exec("on 2026-11-22");\n[m.groups.y, m.groups.m, "a-b-c".replace(/-/g, "+"), [..."a1b2".matchAll(/\\d/g)].length]',
    ['2026', '11', 'a+b+c', 2],
  ),
  gives(
    'JSON knows toJSON, getters, revivers and spaces',
    '[JSON.stringify({ toJSON() { return 1 } }), JSON.stringify({ get a() { return 2 } }), JSON.parse("[1]", (k, v) => typeof v === "number" ? v + 1 : v), JSON.stringify([1], null, 1)]',
    ['1', '{"a":2}', [2], '[\n 1\n]'],
  ),
  gives('dates cross as ISO strings', '[new Date(0), { at: new Date(1) }]', [
    '1970-01-01T00:00:00.000Z',
    { at: '1970-01-01T00:00:00.001Z' },
  ]),
  gives(
    'Math.random differs from call to call',
    'const a = Math.random(), b = Math.random();\na !== b && a >= 0 && a < 1',
    true,
  ),
  gives(
    'errors can be caught, rethrown and have a cause',
    'let r; try { try { null.x } catch (e) { throw new Error("o", { cause: e }) } } catch (e) { r = [e.message, e.cause instanceof TypeError] }\nr',
    ['o', true],
  ),
  gives(
    'labels, switch and closures work',
    'const f = []; outer: for (let i = 0; i < 3; i++) { switch (i) { case 1: continue outer; default: f.push(() => i) } }\nf.map((g) => g())',
    [0, 2],
  ),
  gives(
    'TypeScript is accepted',
    'interface A { n: number }\nenum Color { Red = 2 }\nconst a: A = { n: 1 } as A;\na.n! + Color.Red',
    3,
    {
      language: 'typescript',
    },
  ),
  ends('what does not parse is a syntax error at its line', 'const a = 1;\nconst = 2;', 'syntaxError', {
    name: 'SyntaxError',
    line: 2,
  }),
];
