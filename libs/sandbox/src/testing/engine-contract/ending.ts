import { type ContractCase, ends, expectSame, expectTrue, gives, runSource } from './contract-case.js';

/** Milliseconds past its limit within which a run is over. */
const OVERTIME_MS = 100;
/** What a busy machine may add in a test. */
const SLACK_MS = 400;

function endsInTime(title: string, source: string, cpuMs: number): ContractCase {
  return {
    title,
    async check(subject) {
      await runSource(subject, '1');
      const { outcome, usage } = await runSource(subject, source, { limits: { cpuMs } });
      expectSame(outcome, 'exceededCpu', source);
      expectTrue(usage.wallMs < cpuMs + OVERTIME_MS + SLACK_MS, `how long ${source} took`, usage.wallMs);
    },
  };
}

const hanging = { query: () => new Promise(() => {}) };

/** How runs end, and where errors point. */
export const endingCases: readonly ContractCase[] = [
  ends('an error points at its line', 'const a = 1;\n\nfunction f() {\n  return null.x;\n}\nf();', 'exception', {
    name: 'TypeError',
    line: 4,
  }),
  ends('an error thrown after an await points at its line', 'await 1;\nthrow new Error("late");', 'exception', {
    message: /^late$/,
    line: 2,
  }),
  ends('a rejected promise as value is an exception', 'Promise.reject(new RangeError("r"))', 'exception', {
    name: 'RangeError',
  }),
  ends('whatever is thrown becomes an error', 'throw "text"', 'exception', { message: /text/ }),
  ends('null can be thrown', 'throw null', 'exception', { message: /null/ }),
  ends('an object can be thrown', 'throw { message: "m", code: "C", name: "N" }', 'exception', {
    name: 'N',
    code: 'C',
    message: /^m$/,
  }),
  ends(
    'an object whose message is hostile can be thrown',
    'throw { get message() { throw 1 }, toString() { throw 2 } }',
    'exception',
  ),
  ends('a value that is no JSON is an exception', 'const a = {}; a.a = a; a', 'exception', { name: 'TypeError' }),
  ends('a promise that nothing settles is an exception that says so', 'await new Promise(() => {})', 'exception', {
    message: /promise/,
  }),
  ends('an endless loop ends as exceededCpu', 'for (;;);', 'exceededCpu', {}, { limits: { cpuMs: 60 } }),
  ends(
    'the end cannot be caught',
    'for (;;) try { for (;;); } catch (e) {} finally { continue }',
    'exceededCpu',
    {},
    {
      limits: { cpuMs: 60 },
    },
  ),
  ends(
    'an endless chain of promises ends as exceededCpu',
    '(function f() { Promise.resolve().then(f) })()',
    'exceededCpu',
    {},
    {
      limits: { cpuMs: 60 },
    },
  ),
  ends(
    'an async loop cannot catch its end',
    'async function f() { try { for (;;); } catch {} }\nfor (;;) await f()',
    'exceededCpu',
    {},
    {
      limits: { cpuMs: 60 },
    },
  ),
  endsInTime('a native hog is ended within its limit and 100 ms', 'Array(1e9).join("x")', 80),
  endsInTime('a regular expression that never ends is ended', '/^(a+)+$/.test("a".repeat(40) + "b")', 80),
  endsInTime('a sort whose comparator never ends is ended', '[2, 1].sort(() => { for (;;); })', 80),
  ends(
    'waiting does not count as computing',
    'context.query({}); 1',
    'exceededWall',
    {},
    {
      bridge: hanging,
      limits: { cpuMs: 50, wallMs: 250 },
    },
  ),
  {
    title: 'a slow call costs no CPU time',
    async check(subject) {
      const query = () => new Promise((resolve) => setTimeout(resolve, 150, [1]));
      const { outcome, usage } = await runSource(subject, 'context.query({})', {
        bridge: { query },
        limits: { cpuMs: 100 },
      });
      expectSame(outcome, 'ok', 'a call longer than cpuMs');
      expectTrue(usage.waitMs >= 140 && usage.cpuMs < 100 && usage.calls === 1, 'the usage', usage);
    },
  },
  ends(
    'a call that takes too long is an error of the script',
    'context.query({})',
    'exception',
    { code: 'SANDBOX_BRIDGE_TIMEOUT' },
    {
      bridge: hanging,
      limits: { bridgeCallMs: 60 },
    },
  ),
  ends(
    'a hoarder ends as exceededMemory',
    'const a = []; for (;;) a.push(new Array(1000).fill(a.length))',
    'exceededMemory',
    {},
    {
      limits: { memoryBytes: 24 * 1024 * 1024, cpuMs: 20_000 },
    },
  ),
  ends('too deep a recursion is an exception', '(function f() { return f() + 1 })()', 'exception'),
  gives(
    'too deep a recursion can be caught',
    'let r; try { (function f() { return f() + 1 })() } catch (e) { r = "caught" }\nr',
    'caught',
  ),
  ends(
    'queries are counted, uncatchably',
    'for (;;) try { context.query({}) } catch {}',
    'exceededCalls',
    {},
    {
      bridge: { query: () => [] },
      limits: { queries: 5 },
    },
  ),
  ends('writes are counted', 'for (;;) context.execute([])', 'exceededCalls', {}, { bridge: { execute: () => [] } }),
  ends(
    'written rows are counted',
    'context.execute(Array.from({ length: 11 }, () => ({ op: "create" })))',
    'exceededCalls',
    {},
    {
      bridge: { execute: () => [] },
      limits: { rowsWritten: 10 },
    },
  ),
  ends(
    'rows that are read are counted',
    'context.query({}); 1',
    'exceededCalls',
    {},
    {
      bridge: { query: () => [1, 2, 3] },
      limits: { rowsRead: 2 },
    },
  ),
  ends(
    'mails are counted',
    'for (;;) context.sendEmail({ to: "a" })',
    'exceededCalls',
    {},
    { bridge: { sendEmail: () => 1 } },
  ),
  ends(
    'calls of services are counted',
    'for (;;) context.a.b()',
    'exceededCalls',
    {},
    {
      bridge: { 'a.b': () => 1 },
      limits: { calls: 3 },
    },
  ),
  ends(
    'a value over its limit ends as exceededOutput',
    '"x".repeat(2000)',
    'exceededOutput',
    {},
    { limits: { resultBytes: 1000 } },
  ),
  ends(
    'a source over its limit is a syntax error with a code',
    `"${'x'.repeat(200)}"`,
    'syntaxError',
    { code: 'SANDBOX_SOURCE_TOO_LONG' },
    {
      limits: { sourceBytes: 100 },
    },
  ),
  {
    title: 'the oldest lines of a log go first',
    async check(subject) {
      const { logs } = await runSource(subject, 'for (let i = 0; i < 500; i++) log("line " + i)', {
        limits: { logBytes: 2000 },
      });
      expectTrue(logs.length < 500 && logs.at(-1)?.message === 'line 499', 'the lines that are kept', logs.length);
    },
  },
  {
    title: 'a signal cancels a run',
    async check(subject) {
      const signal = AbortSignal.timeout(60);
      const { outcome } = await runSource(subject, 'for (;;);', { signal, limits: { cpuMs: 5_000 } });
      expectSame(outcome, 'cancelled', 'the outcome');
    },
  },
];
