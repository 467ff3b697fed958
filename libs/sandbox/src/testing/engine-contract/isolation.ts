import { type ContractCase, ends, expectSame, gives, runSource } from './contract-case.js';

/** What the second run sees of what the first one did. */
function leavesNothing(title: string, first: string, second: string, value: unknown): ContractCase {
  return {
    title,
    async check(subject) {
      for (let i = 0; i < 3; i++) await runSource(subject, first, { limits: { cpuMs: 200 } });
      const result = await runSource(subject, second, { tenantId: 'globex' });
      expectSame([result.outcome, result.value], ['ok', value], `${second} after ${first}`);
    },
  };
}

const REACH = 'this.constructor.constructor("return typeof process")()';

/** Nothing gets out, and nothing is left behind. */
export const isolationCases: readonly ContractCase[] = [
  leavesNothing('globals do not survive a run', 'globalThis.leak = 1; var other = 2', '[typeof leak, typeof other]', [
    'undefined',
    'undefined',
  ]),
  leavesNothing(
    'prototypes do not survive a run',
    'Object.prototype.leak = Array.prototype.leak = 1; String.prototype.trim = null',
    '[{}.leak, [].leak, " a ".trim()]',
    [null, null, 'a'],
  ),
  leavesNothing(
    'builtins do not survive a run',
    'JSON.stringify = Math.max = null; globalThis.Array = null',
    '[JSON.stringify([1]), Math.max(1, 2), Array.isArray([])]',
    ['[1]', 2, true],
  ),
  leavesNothing(
    'the context does not survive a run',
    'context.record.leak = 1; context.leak = 1; setResult("leak")',
    '[context.record.leak, context.leak]',
    [null, null],
  ),
  leavesNothing(
    'pending promises do not survive a run',
    'new Promise(() => {}).then(() => {}); (async () => { for (;;) await 0 })()',
    '1',
    1,
  ),
  leavesNothing('a run that was killed leaves nothing', 'globalThis.leak = 1; for (;;);', 'typeof leak', 'undefined'),
  {
    title: 'the same script starts anew each time',
    async check(subject) {
      const values = [];
      for (let i = 0; i < 3; i++)
        values.push((await runSource(subject, 'globalThis.n = (globalThis.n || 0) + 1')).value);
      expectSame(values, [1, 1, 1], 'a counter in a global');
    },
  },
  {
    title: 'Math.random differs from run to run',
    async check(subject) {
      const values = new Set<unknown>();
      for (let i = 0; i < 4; i++) values.add((await runSource(subject, 'Math.random()')).value);
      expectSame(values.size, 4, 'different random numbers');
    },
  },
  gives('constructors lead to no host', REACH, 'undefined'),
  gives('a bridge function leads to no host', 'context.query.constructor("return typeof process")()', 'undefined', {
    bridge: { query: () => [] },
  }),
  gives(
    'a result leads to no host',
    'context.query({}).constructor.constructor("return typeof process")()',
    'undefined',
    { bridge: { query: () => [{}] } },
  ),
  gives(
    'an error of a call leads to no host',
    'let r; try { context.query({}) } catch (e) { r = [e.constructor.constructor("return typeof process")(), /(file:|node:|\\/)\\w/.test(String(e.stack))] }\nr',
    ['undefined', false],
    {
      bridge: {
        query: () => {
          throw new TypeError('x');
        },
      },
    },
  ),
  ends('a stack shows no host path', 'throw new Error("e")', 'exception', { message: /^e$/ }),
];
