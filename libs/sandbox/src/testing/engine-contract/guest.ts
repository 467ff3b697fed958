import type { RunInput } from '../../protocol/run.js';
import { type ContractCase, ends, expectSame, gives, runSource } from './contract-case.js';

const input: RunInput = {
  entity: 'order',
  operation: 'update',
  record: { id: '7', amount: 20 },
  prevRecord: { id: '7', amount: 10 },
  changed: ['amount'],
  userId: 'ann',
  action: { id: 'a1' },
};

/** A bridge that keeps what it was asked. */
function recorder(): { calls: unknown[]; bridge: Record<string, (...args: unknown[]) => unknown> } {
  const calls: unknown[] = [];
  const record =
    (method: string, value: unknown) =>
    (...args: unknown[]) => {
      calls.push([method, ...args]);
      return value;
    };
  const bridge = {
    query: record('query', [{ id: '1' }, { id: '2' }]),
    execute: record('execute', [{ id: '9' }]),
    sendEmail: record('sendEmail', 1),
    'stock.reserve': record('stock.reserve', { left: 3 }),
  };
  return { calls, bridge };
}

/** A script's value, and the calls it made. */
function calls(title: string, source: string, value: unknown, expected: readonly unknown[]): ContractCase {
  return {
    title,
    async check(subject) {
      const host = recorder();
      const result = await runSource(subject, source, { bridge: host.bridge });
      expectSame([result.outcome, result.value, host.calls], ['ok', value, expected], source);
    },
  };
}

const refusing = {
  query: () => {
    throw Object.assign(new RangeError('no such column'), { code: 'BAD_COLUMN', secret: '/host/path', cause: 1 });
  },
};

const NODE_NAMES =
  'require process global Buffer setTimeout setInterval setImmediate queueMicrotask fetch WebAssembly SharedArrayBuffer Atomics performance module exports __dirname __filename window self importScripts XMLHttpRequest';

function logs(title: string, source: string, expected: readonly (readonly [string, string])[]): ContractCase {
  return {
    title,
    async check(subject) {
      const result = await runSource(subject, source);
      expectSame(
        result.logs.map(({ level, message }) => [level, message]),
        expected,
        source,
      );
    },
  };
}

/** The contract's "What a script sees". */
export const guestCases: readonly ContractCase[] = [
  gives(
    'context holds the change',
    '[context.record, context.prevRecord, context.changed]',
    [input.record, input.prevRecord, ['amount']],
    { input },
  ),
  gives(
    'context says what happened, by whom and for whom',
    '[context.entity, context.operation, context.action.id, context.userId, context.tenantId, context.orgName]',
    ['order', 'update', 'a1', 'ann', 'acme', 'acme'],
    { input },
  ),
  gives('images that are not there are empty objects', '[context.record, context.prevRecord]', [{}, {}]),
  gives('setResult wins over the last expression', 'setResult({ a: 1 }); 5', { a: 1 }),
  gives('setResult(undefined) gives no value', 'setResult(undefined); 5', undefined),
  calls('query returns rows, synchronously', 'context.query({ entity: "order" }).length', 2, [
    ['query', { entity: 'order' }],
  ]),
  calls('calls may be awaited', '(await context.query({ a: 1 }))[1].id', '2', [['query', { a: 1 }]]),
  calls(
    'retrieveMultiple and executeMultiple are aliases',
    '[context.retrieveMultiple({}).length, context.executeMultiple([]).length]',
    [2, 1],
    [
      ['query', {}],
      ['execute', []],
    ],
  ),
  calls('sendEmail takes an object and returns 1', 'context.sendEmail({ to: "a", subject: "s" })', 1, [
    ['sendEmail', { to: 'a', subject: 's' }],
  ]),
  calls('sendEmail takes to, cc, bcc, subject and body', 'context.sendEmail("a", "b", null, "s", "t")', 1, [
    ['sendEmail', { to: 'a', cc: 'b', bcc: null, subject: 's', text: 't' }],
  ]),
  calls('a service is reached through its name', 'context.stock.reserve({ sku: "x" }).left', 3, [
    ['stock.reserve', { sku: 'x' }],
  ]),
  calls(
    'arguments cross as JSON',
    'context.stock.reserve({ at: new Date(0), f: () => 1, u: undefined, n: NaN }); 1',
    1,
    [['stock.reserve', { at: '1970-01-01T00:00:00.000Z', n: null }]],
  ),
  gives(
    'only the methods of the bridge exist',
    '[typeof context.query, typeof context.execute, typeof context.stock]',
    ['function', 'undefined', 'undefined'],
    { bridge: { query: () => [] } },
  ),
  gives(
    'a failing call throws an ordinary error with name, message and code',
    'let r; try { context.query({}) } catch (e) { r = [e instanceof Error, e.name, e.message, e.code, e.secret, e.cause] }\nr',
    [true, 'RangeError', 'no such column', 'BAD_COLUMN', null, null],
    { bridge: refusing },
  ),
  ends(
    'a failing call that is not caught ends the run at its line',
    'const a = 1;\ncontext.query({});',
    'exception',
    {
      name: 'RangeError',
      message: /^no such column$/,
      code: 'BAD_COLUMN',
      line: 2,
    },
    { bridge: refusing },
  ),
  gives(
    'nothing of Node is there',
    `${JSON.stringify(NODE_NAMES)}.split(" ").filter((n) => typeof globalThis[n] !== "undefined")`,
    [],
  ),
  gives(
    'context.limits says what is left',
    'const before = context.limits.queries; context.query({}); const l = context.limits;\n[before, l.queries, l.rowsRead, l.writes, l.emails, l.calls, l.cpuMs > 0 && l.cpuMs <= 1000]',
    [100, 99, 49_998, 150, 10, 1_000, true],
    { bridge: { query: () => [1, 2] } },
  ),
  logs(
    'log and console keep their level',
    'log("a"); console.debug("b"); console.info("c"); console.warn("d"); console.error("e"); console.log("f")',
    [
      ['info', 'a'],
      ['debug', 'b'],
      ['info', 'c'],
      ['warn', 'd'],
      ['error', 'e'],
      ['info', 'f'],
    ],
  ),
  logs('values are logged as JSON, errors by name and message', 'log("x", { a: [1] }, null, 2, new TypeError("t"))', [
    ['info', 'x {"a":[1]} null 2 TypeError: t'],
  ]),
  ends('RetryLater is an error with a name and a code', 'throw new RetryLater("soon", { afterMs: 50 })', 'exception', {
    name: 'RetryLater',
    message: /^soon$/,
    code: 'RETRY_LATER',
    line: 1,
  }),
  gives('RetryLater is an Error', 'new RetryLater("x") instanceof Error', true),
  gives(
    'the bridge survives overwritten builtins',
    [
      'JSON.stringify = JSON.parse = () => { throw 1 }; Array.prototype.push = Array.prototype.map = null;',
      'Object.prototype.toJSON = undefined; String.prototype.slice = String.prototype.indexOf = () => "no";',
      'Object.defineProperty = Reflect.apply = () => 0; Function.prototype.call = Function.prototype.apply = null;',
      'context.query({ a: "b" })[0].id',
    ].join('\n'),
    'b',
    { bridge: { query: (q: { a: string }) => [{ id: q.a }] } },
  ),
  gives(
    "keys named __proto__ reach nobody's prototype",
    'context.query(JSON.parse("{\\"__proto__\\":{\\"bad\\":1},\\"a\\":1}"))',
    [1, false],
    {
      bridge: { query: (q: object) => [Object.keys(q).length, 'bad' in Object.assign({}, q)] },
    },
  ),
];
