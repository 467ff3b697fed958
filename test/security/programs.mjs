// Hostile programs, by what they try. Each is `[title, source, expected, run?]`; `expected` is the value of a run that ends
// well, or the outcomes it may end with. `run` adds limits, input or language. The programs run on every engine.
import { hoarders, hogs } from './hogs.mjs';
import { cpu, failed, harmless, value } from './outcomes.mjs';

/** Reach the host: through constructors, errors, results, functions, the global object. */
const hostReach = [
  ['Function constructor', 'typeof Function("return process")', ['exception', 'ok']],
  ['Function sees no process', 'Function("return typeof process")()', value('undefined')],
  ['this.constructor.constructor', 'this.constructor.constructor("return typeof process")()', value('undefined')],
  ['constructor of a bridge function', 'context.query.constructor("return typeof require")()', value('undefined')],
  [
    'constructor of a result',
    'context.query({}).constructor.constructor("return typeof process")()',
    value('undefined'),
  ],
  [
    'constructor of a row',
    'context.query({})[0].constructor.constructor("return typeof process")()',
    value('undefined'),
  ],
  [
    'constructor of a host error',
    'let r; try { context.stock.fail() } catch (e) { r = e.constructor.constructor("return typeof process")() }\nr',
    value('undefined'),
  ],
  [
    'prototype of a host error',
    'let r; try { context.stock.fail() } catch (e) { r = Object.getPrototypeOf(e) === Error.prototype }\nr',
    value(true),
  ],
  [
    'keys of a host error',
    'let r; try { context.stock.fail() } catch (e) { r = [e.secret, e.cause, e.stack && e.stack.includes("/")] }\nr',
    harmless,
  ],
  ['constructor of the input', 'context.record.constructor.constructor("return typeof process")()', value('undefined')],
  ['constructor of log', 'log.constructor("return typeof process")()', value('undefined')],
  ['constructor of setResult', 'setResult.constructor("return typeof globalThis.process")()', value('undefined')],
  ['constructor of an async function', '(async () => {}).constructor("return typeof process")()', value('undefined')],
  [
    'constructor of a generator',
    'const v = [...(function* () {}).constructor("yield typeof process")()][0]; if (v !== "undefined") log(v.reached.host); 1',
    harmless,
  ],
  [
    'indirect eval',
    '(0, eval)("typeof process + typeof require + typeof module")',
    value('undefinedundefinedundefined'),
  ],
  ['dynamic import of a builtin', 'await import("node:fs")', failed],
  ['dynamic import through eval', 'await eval("import(\'fs\')")', failed],
  ['static import', 'import fs from "node:fs"; fs', failed],
  ['import.meta', 'import.meta.url', failed],
  ['require', 'require("fs")', failed],
  ['process.binding', 'process.binding("fs")', failed],
  [
    'globalThis has no host names',
    'Object.getOwnPropertyNames(globalThis).filter((n) => /process|require|^Buffer|module|worker|port/i.test(n))',
    value([]),
  ],
  [
    'arguments.callee.caller',
    '(function f() { try { return typeof f.caller } catch (e) { return "no" } })()',
    harmless,
  ],
  [
    'caller of a callback',
    'let r = "none"; [1].forEach(function f() { try { r = String(f.caller) } catch (e) { r = "no" } }); /process|hostCall/.test(r)',
    value(false),
  ],
  [
    'getter used as a callback (#181)',
    'const g = Object.getOwnPropertyDescriptor(Object.prototype, "__proto__"); g && g.get ? typeof g.get.constructor("return typeof process")() : "undefined"',
    harmless,
  ],
  [
    'error with a prepared stack',
    'Error.prepareStackTrace = (e, s) => s; const e = new Error("x"); try { e.stack[0].getThis().process } catch (x) { "no" }',
    harmless,
  ],
  [
    'Error.captureStackTrace',
    'const o = {}; Error.captureStackTrace && Error.captureStackTrace(o); /file:|node:|\\/home|thread\\.main/.test(String(o.stack))',
    value(false),
  ],
  [
    'stack of an error in a callback of the host',
    'let s = ""; try { context.query({ get a() { throw new Error("x") } }) } catch (e) { s = String(e.stack) }\n/file:|node:|thread\\.main|dist/.test(s)',
    value(false),
  ],
  [
    'Symbol.species of results',
    'const r = context.query({}); Object.getPrototypeOf(r) === Array.prototype',
    value(true),
  ],
  ['WebAssembly', 'new WebAssembly.Module(new Uint8Array(8))', failed],
  ['Proxy around context', 'const p = new Proxy(context, { get: (t, k) => t[k] }); p.query({}).length', value(1)],
  ['source text of a bridge function', '/process|Atomics|postMessage/.test(String(context.query))', value(false)],
  [
    'Reflect.ownKeys of context functions',
    'Reflect.ownKeys(context.query).filter((k) => typeof k === "string" && !["length", "name", "prototype", "arguments", "caller"].includes(k))',
    value([]),
  ],
  [
    'toString of host functions called on others',
    'Function.prototype.toString.call(log).includes("hostLog(")',
    harmless,
  ],

  [
    'our functions show no source',
    '/argument|cross|own\\(/.test([context.query, log, setResult, RetryLater, console.warn].map(String).join())',
    value(false),
  ],
  [
    'our functions do, once WeakSet is overwritten',
    'WeakSet.prototype.has = () => true; /argument|cross|own\\(/.test(String(context.query))',
    value(false),
  ],
  [
    'our machinery has no name in the guest',
    'typeof hostCall + typeof install + typeof start + typeof finish',
    value('undefined'.repeat(4)),
  ],
  [
    'methods of a replaced prototype of context',
    'Object.setPrototypeOf(context, new Proxy({}, { get: (t, k) => k })); context.nothing',
    value('nothing'),
  ],
];

/** Change what other runs see. */
const pollution = [
  ['Object.prototype', 'Object.prototype.polluted = 1; 1', value(1)],
  ['__proto__ of a literal', '({}).__proto__.polluted = 1; 1', value(1)],
  [
    'Array.prototype methods',
    'Array.prototype.push = Array.prototype.map = function () { return "hacked" }; 1',
    value(1),
  ],
  ['JSON', 'JSON.parse = () => "hacked"; JSON.stringify = () => "hacked"; 1', value(1)],
  ['Promise.prototype.then', 'Promise.prototype.then = function () { return "hacked" }; 1', value(1)],
  ['Object.prototype.then', 'Object.prototype.then = function (f) { f("hacked") }; 1', harmless],
  [
    'Object.prototype getters of bridge fields',
    'for (const k of ["ok", "value", "error", "deferred", "method", "args"]) Object.defineProperty(Object.prototype, k, { get() { return "hacked" }, set() {} }); context.query({}).length',
    harmless,
  ],
  [
    'Array.prototype index setters',
    'Object.defineProperty(Array.prototype, "0", { set() { globalThis.stolen = 1 }, get() { return "hacked" } }); context.stock.take("x"); typeof stolen',
    harmless,
  ],
  [
    'Symbol.iterator of arrays',
    'Array.prototype[Symbol.iterator] = function* () { yield "hacked" }; context.query({}).length',
    value(1),
  ],
  [
    'Function.prototype.call and apply',
    'Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => "hacked"; context.query({}).length',
    value(1),
  ],
  [
    'Error constructor',
    'globalThis.Error = function () { return { hacked: 1 } }; try { context.stock.fail() } catch (e) { e.code }',
    value('OUT_OF_STOCK'),
  ],
  [
    'Error.prototype setters',
    'for (const k of ["name", "message", "code", "stack"]) Object.defineProperty(Error.prototype, k, { set() { throw 1 }, get() { return "hacked" }, configurable: true }); try { context.stock.fail() } catch (e) { e.code }',
    harmless,
  ],
  [
    'String.prototype',
    'for (const k of Object.getOwnPropertyNames(String.prototype)) try { String.prototype[k] = () => "hacked" } catch (e) {}\ncontext.query({}).length',
    harmless,
  ],
  ['RegExp.prototype.exec', 'RegExp.prototype.exec = () => ["hacked"]; 1', value(1)],
  [
    'Math, Date and Number',
    'Math.max = Math.floor = Date.now = Number.isFinite = () => NaN; context.limits.queries',
    harmless,
  ],
  ['global bindings', 'globalThis.context = globalThis.log = globalThis.setResult = "hacked"; 1', value(1)],
  ['context methods', 'context.query = () => "hacked"; context.query({})', value('hacked')],
  [
    'frozen prototypes',
    'Object.freeze(Object.prototype); Object.freeze(Array.prototype); Object.freeze(globalThis); 1',
    value(1),
  ],
  [
    'deleted globals',
    'for (const k of Object.getOwnPropertyNames(globalThis)) try { delete globalThis[k] } catch (e) {}\n1',
    harmless,
  ],
  [
    'Symbol.hasInstance of Promise',
    'Object.defineProperty(Promise, Symbol.hasInstance, { value: () => true }); 1',
    value(1),
  ],
  [
    'Symbol.toPrimitive',
    'Object.prototype[Symbol.toPrimitive] = () => { throw 1 }; context.query({}).length',
    harmless,
  ],
  [
    'toJSON on every prototype',
    'Object.prototype.toJSON = Array.prototype.toJSON = String.prototype.toJSON = Number.prototype.toJSON = () => "hacked"; context.stock.take({ a: 1 }); 1',
    harmless,
  ],
  ['limits are not writable', 'try { context.limits.queries = 1e9 } catch (e) {}\ncontext.limits.queries', value(100)],
  ['own methods on rows', 'const r = context.query({})[0]; r.__proto__.polluted = 1; 1', value(1)],

  [
    'String.prototype.indexOf that hangs',
    'String.prototype.indexOf = String.prototype.slice = () => { for (;;); }; try { context.stock.fail() } catch (e) { e.code }',
    value('OUT_OF_STOCK'),
  ],
  [
    'getter "value" on Object.prototype',
    'Object.defineProperty(Object.prototype, "value", { get() { return "hacked" }, set() {} }); context.query({}).length',
    harmless,
  ],
  [
    'getter "retryAfterMs" on Object.prototype',
    'Object.defineProperty(Object.prototype, "retryAfterMs", { get() { return 5 } }); throw new Error("x")',
    ['exception'],
  ],
  [
    'getter "then" on Object.prototype',
    'Object.defineProperty(Object.prototype, "then", { get() { return undefined } }); (await context.query({})).length',
    value(1),
  ],
  ['Promise replaced', 'globalThis.Promise = class {}; await 1; 2', value(2)],
  [
    'Promise.prototype.constructor that hangs',
    'Object.defineProperty(Promise.prototype, "constructor", { get() { for (;;); } }); await Promise.resolve(1)',
    [...cpu, 'ok'],
  ],
  ['RetryLater of its own', 'class RetryLater extends Error {} throw new RetryLater("mine")', ['exception']],
];

/** Leave something at work after the end. */
const leftovers = [
  ['endless promise chain', '(function f() { Promise.resolve().then(f) })(); 1', cpu],
  ['endless async function', '(async () => { for (;;) await 0 })(); 1', cpu],
  ['promise that is never settled', 'new Promise(() => {}); 1', value(1)],
  ['await of a promise that is never settled', 'await new Promise(() => {})', ['exception']],
  ['thenable that never answers', '({ then() {} })', ['exception']],
  ['thenable that answers twice', '({ then(a, b) { a(1); a(2); b(3) } })', value(1)],
  ['thenable that throws', '({ then() { throw new Error("x") } })', ['exception']],
  ['thenable of thenables', 'const t = { then(f) { f(t) } }; t', cpu],
  ['a call that is not awaited', 'for (let i = 0; i < 50; i++) context.query({}); 1', value(1)],
  ['a call after the result', 'setResult(1); Promise.resolve().then(() => context.query({})); 2', value(1)],
  ['timers', 'setTimeout(() => {}, 1)', failed],
  ['setInterval', 'for (let i = 0; i < 1e5; i++) setInterval(() => {}, 1)', failed],
  ['queueMicrotask', 'queueMicrotask(() => {})', failed],
  ['FinalizationRegistry', 'new FinalizationRegistry(() => {}).register({}, 1); 1', harmless],
  ['WeakRef', 'new WeakRef({}).deref(); 1', harmless],
  [
    'generator left in the middle',
    'function* g() { try { yield 1 } finally { for (;;); } }\nconst i = g(); i.next(); 1',
    value(1),
  ],
  [
    'async generator left in the middle',
    'async function* g() { for (;;) yield 1 }\nconst i = g(); (await i.next()).value',
    value(1),
  ],
  ['unhandled rejection', 'Promise.reject(new Error("x")); 1', harmless],
  ['100,000 pending promises', 'for (let i = 0; i < 1e5; i++) new Promise(() => {}).then(() => {}); 1', harmless],
  [
    'handler of a global error',
    'globalThis.onerror = globalThis.onunhandledrejection = () => 1; throw new Error("x")',
    ['exception'],
  ],
];

/** Break what crosses: values, errors, arguments, logs. */
const traps = [
  ['cyclic value', 'const a = {}; a.a = a; a', ['exception']],
  ['function as value', '() => 1', { value: undefined }],
  ['symbol as value', 'Symbol("x")', { value: undefined }],
  ['bigint as value', '10n', value('10')],
  ['NaN and Infinity as value', '[NaN, Infinity, -0]', value([null, null, 0])],
  ['sparse array as value', '[, 1, ,]', value([null, 1, null])],
  ['key __proto__ in the value', 'JSON.parse(\'{"__proto__":{"polluted":1},"a":1}\')', value({ a: 1 })],
  [
    'key constructor in the value',
    '({ constructor: { prototype: { polluted: 1 } } })',
    value({ constructor: { prototype: { polluted: 1 } } }),
  ],
  ['key toJSON in the value', '({ toJSON: "no function", a: 1 })', value({ toJSON: 'no function', a: 1 })],
  ['then in the value', '({ a: { then: 1 } })', value({ a: { then: 1 } })],
  ['value with a newline and separators', '"a\\nb\\r\\u2028\\u2029\\0"', value('a\nb\r\u2028\u2029\0')],
  ['lone surrogates', '"\\ud800"', harmless],
  ['very long value', '"x".repeat(1e7)', ['exceededOutput', 'exceededMemory', 'exceededCpu']],
  ['very deep value', 'let a = []; for (let i = 0; i < 1e5; i++) a = [a]; a', [...failed, 'ok', 'exceededOutput']],
  [
    'value that changes while it is read',
    'let n = 0; ({ get a() { return n++ }, get b() { return n++ } })',
    value({ a: 0, b: 1 }),
  ],
  ['value that forges the wire', '"k5:hello\\n{}\\n[]"', value('k5:hello\n{}\n[]')],
  ['setResult with a hostile toJSON', 'setResult({ toJSON() { throw new Error("x") } })', ['exception']],
  ['hostile toJSON that calls the host', '({ toJSON() { return context.query({}).length } })', value(1)],
  ['error with a 10 MB message', 'throw new Error("x".repeat(1e7))', ['exception', 'exceededMemory', 'exceededCpu']],
  [
    'error with a hostile name',
    'const e = new Error("m"); Object.defineProperty(e, "name", { get() { throw 1 } }); throw e',
    ['exception'],
  ],
  [
    'error with a forged stack',
    'const e = new Error("m"); e.stack = "at x (script:99999:1)\\n".repeat(1e4); throw e',
    ['exception'],
  ],
  [
    'error whose stack is an object',
    'const e = new Error("m"); e.stack = { toString() { for (;;); } }; throw e',
    ['exception'],
  ],
  ['thrown proxy', 'throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 2 } })', ['exception']],
  ['thrown null-prototype object', 'throw Object.create(null)', ['exception']],
  ['thrown function', 'throw () => 1', ['exception']],
  ['thrown undefined', 'throw undefined', ['exception']],
  ['forged memory error', 'const e = new Error("out of memory"); e.name = "InternalError"; throw e', ['exception']],
  ['argument with a getter', 'context.stock.take({ get a() { return 1 } })', harmless],
  ['argument with a throwing getter', 'context.stock.take({ get a() { throw new Error("x") } })', ['exception']],
  ['cyclic argument', 'const a = []; a.push(a); context.stock.take(a)', ['exception']],
  ['argument of 50 MB', 'context.stock.take("x".repeat(5e7))', [...failed]],
  ['argument with __proto__', 'context.stock.take(JSON.parse(\'{"__proto__":{"polluted":1}}\'))', harmless],
  [
    'argument with 100,000 keys',
    'const o = {}; for (let i = 0; i < 1e5; i++) o["k" + i] = 1; context.stock.take(o); 1',
    harmless,
  ],
  ['argument that is a proxy', 'context.stock.take(new Proxy([1], {}))', harmless],
  [
    'argument that is a revoked proxy',
    'const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); context.stock.take(proxy)',
    failed,
  ],
  ['argument that is a thenable', 'context.stock.take({ then(f) { f(1) } }); 1', value(1)],
  ['log of a cyclic object', 'const a = {}; a.a = a; log(a); 1', value(1)],
  ['log of a hostile object', 'log({ toJSON() { throw 1 }, toString() { throw 2 } }); 1', value(1)],
  ['log of 10 MB', 'log("x".repeat(1e7)); 1', harmless],
  ['log of control characters', 'log("\\u001b[2J\\0\\r\\n"); 1', value(1)],

  ['value nested 5,000 deep', 'let a = []; for (let i = 0; i < 5000; i++) a = [a]; a', [...failed, 'exceededOutput']],
  ['argument nested 5,000 deep', 'let a = []; for (let i = 0; i < 5000; i++) a = [a]; context.stock.take(a)', failed],
  ['value with a getter named then', '({ a: 1, get then() { throw new Error("x") } })', ['exception']],
  ['set value with a getter named then', 'setResult({ get then() { return 1 } })', value({ then: 1 })],
  [
    'error whose every property throws',
    'throw new (class extends Error { get name() { throw 1 } get message() { throw 2 } get stack() { throw 3 } })()',
    ['exception'],
  ],
  ['toJSON that goes round', 'const o = { toJSON: () => ({ toJSON: () => o, a: 1 }) }; o', harmless],
  ['lone surrogates in an argument', 'context.stock.take("\\ud800", { "\\udfff": 1 }); 1', value(1)],
  [
    'own __proto__ in an argument',
    'context.stock.take(Object.defineProperty({}, "__proto__", { value: { polluted: 1 }, enumerable: true })); 1',
    value(1),
  ],
  [
    'arguments that are no JSON',
    'context.query(Symbol("x")); context.query(() => 1); context.query(10n); context.stock.take(NaN, undefined); 1',
    value(1),
  ],
  ['thrown bigint and symbol', 'try { throw Symbol("s") } catch (e) {} throw 10n', ['exception']],
  ['error thrown as a want of memory', 'throw new InternalError("out of memory")', ['exception']],
  ['setResult of itself', 'setResult(setResult); 5', { value: undefined }],
];

/** Break the parser or the compiler. */
const bombs = [
  ['eval of 100,000 brackets', 'eval("(".repeat(1e5))', failed],
  ['eval of nested arrays', 'eval("[".repeat(1e5) + "]".repeat(1e5))', [...failed, 'ok']],
  ['source of 20,000 brackets', '('.repeat(20_000) + ')'.repeat(20_000), ['syntaxError', ...failed]],
  ['source of nested functions', 'function f() {'.repeat(3_000) + '}'.repeat(3_000), harmless],
  ['source of nested templates', '`${'.repeat(2_000) + '1' + '}`'.repeat(2_000), harmless],
  ['long chain of additions', Array(20_000).fill('1').join('+'), [...harmless]],
  ['long chain of else if', 'if (0) {}' + ' else if (0) {}'.repeat(3_000), harmless],
  ['closing the wrapper', '}); globalThis.leak = 1; (function () {', ['syntaxError']],
  ['closing the wrapper with a comment', '} /* */ ) ; ( { //', ['syntaxError']],
  ['open comment', '1 /*', ['syntaxError']],
  ['open template', '`${', ['syntaxError']],
  ['html comment', '<!-- \n1', ['syntaxError', 'ok']],
  ['huge number of variables', Array.from({ length: 5_000 }, (_, i) => `var v${i} = ${i};`).join('') + '1', value(1)],
  ['regular expression bomb', 'new RegExp("(".repeat(5e4) + ")".repeat(5e4))', [...failed, 'ok']],
  ['new Function that closes itself', 'new Function("}); globalThis.leak = 1; (function () {")', harmless],
  ['JSON.parse of 200,000 brackets', 'JSON.parse("[".repeat(2e5) + "]".repeat(2e5)); 1', [...failed, 'ok']],
  [
    'JSON.parse of 100,000 objects',
    'JSON.parse("[" + Array(1e5).fill("{\\"a\\":1}").join() + "]").length',
    [...harmless],
  ],
  ['types that never end', 'type A<T> = T extends 0 ? A<T> : A<[T]>; 1', harmless, { language: 'typescript' }],
  ['return outside', 'return 5', harmless],
  ['await in a parameter', 'function f(a = await 1) {} 1', harmless],
];

/** Abuse the bridge. */
const bridgeAbuse = [
  ['100,000 queries', 'for (let i = 0; i < 1e5; i++) context.query({})', ['exceededCalls']],
  [
    '100,000 queries that are not awaited',
    'for (let i = 0; i < 1e5; i++) (async () => context.query({}))()',
    ['exceededCalls'],
  ],
  ['catching the limit', 'for (;;) try { context.query({}) } catch (e) {}', ['exceededCalls']],
  ['mails without an end', 'for (;;) context.sendEmail({ to: "a@b" })', ['exceededCalls']],
  ['a mail to 1,000', 'context.sendEmail({ to: Array(1000).fill("a@b") })', ['exceededCalls']],
  ['writes without an end', 'for (;;) context.execute([{ op: "delete" }])', ['exceededCalls']],
  ['a write of 20,000 rows', 'context.execute(Array(20000).fill({ op: "delete" }))', ['exceededCalls', 'exceededCpu']],
  ['a method that is not there', 'context.nothing({})', ['exception']],
  ['a service that is not there', 'context.payroll.pay()', ['exception']],
  ['a method of a prototype', 'context.stock.constructor("x")', harmless],
  ['__proto__ as a service', 'context.__proto__.take', { value: undefined }],
  ['another tenant in the query', 'context.query({ tenantId: "globex", entity: "x" }).length', value(1)],
  ['changing context.tenantId', 'context.tenantId = "globex"; context.query({}); context.tenantId', value('globex')],
  [
    'calling from a getter during a call',
    'context.stock.take({ get a() { return context.query({}).length } }); 1',
    value(1),
  ],
  [
    'calling from toJSON during a call',
    'context.stock.take({ toJSON() { context.query({}); return 1 } }); 1',
    value(1),
  ],
  [
    'call with this replaced',
    'context.query.call(null, {}).length + context.query.apply(undefined, [{}]).length',
    value(2),
  ],
  ['call as a constructor', 'new context.query({}); 1', harmless],
  ['1,000 arguments', 'context.stock.take(...Array(1000).fill(1)); 1', value(1)],
  ['no arguments', 'context.stock.take(); context.query(); 1', value(1)],
  [
    'overwritten limits',
    'Object.defineProperty(context, "limits", { value: { queries: 1e9 } }); for (;;) context.query({})',
    ['exceededCalls'],
  ],
  ['a reply of 4 MB', 'context.stock.large().length', [...harmless], {}],
  ['a reply that is no JSON', 'context.stock.odd()', ['exception']],
  ['a call that never returns', 'context.stock.hang()', ['exceededWall'], { limits: { wallMs: 200 } }],

  [
    // few enough for the memory: which of the limits 100,000 reach first depends on the machine
    '20,000 queries in promises',
    'for (let i = 0; i < 2e4; i++) Promise.resolve().then(() => context.query({}))',
    ['exceededCalls', 'exceededCpu'],
  ],
  [
    'a call at the end of the stack',
    '(function f() { try { return f() } catch (e) { return context.stock.take(1) } })()',
    harmless,
  ],
  ['a race with a call', '(await Promise.race([new Promise(() => {}), context.query({})])).length', value(1)],
  ['calls after methods were deleted', 'delete context.query; typeof context.query', value('undefined')],
];

/** Look at the environment. */
const probes = [
  [
    'clock resolution',
    'const t = []; for (let i = 0; i < 200; i++) t.push(Date.now()); t.every((x) => Number.isInteger(x))',
    value(true),
  ],
  ['no performance', 'typeof performance', value('undefined')],
  ['no shared memory', 'typeof SharedArrayBuffer + typeof Atomics', value('undefinedundefined')],
  ['no Intl of the host or a harmless one', 'typeof Intl', harmless],
  ['no locale of the host', 'typeof navigator', value('undefined')],
  ['no environment', 'typeof globalThis.env + typeof globalThis.argv', value('undefinedundefined')],
  [
    'memory is empty',
    'typeof Uint8Array === "undefined" || new Uint8Array(1 << 16).every((x) => x === 0)',
    value(true),
  ],
  ['uninitialised strings', 'new TextDecoder().decode(new Uint8Array(9))', failed],
  [
    'error messages name no path',
    'let r = ""; for (const s of ["null.x", "x.y.z", "JSON.parse(\\"{\\")", "new Array(-1)"]) try { eval(s) } catch (e) { r += e.message + e.stack }\n/\\/(home|usr|tmp|var|root)|node_modules|dist\\b|file:/.test(r)',
    value(false),
  ],
  ['random numbers are not those of the run before', 'Math.random() !== context.record.lastRandom', value(true)],
  [
    'function names of our own',
    'let s = ""; try { (function f() { f() })() } catch (e) { s = String(e.stack) }\n/prelude|hostCall|thread/.test(s)',
    harmless,
  ],
  ['user and tenant are what they are', '[context.tenantId, context.userId]', value(['acme', null])],
];

/** Every program: `{ category, title, source, expected, run }`. */
/** Native code that is entered again and again, or given what changes under its hands. */
const reentry = [
  [
    'toJSON that writes JSON',
    'function f() { return { toJSON: () => JSON.stringify(f()) } } JSON.stringify(f())',
    failed,
  ],
  ['a comparator that sorts', '(function f() { [2, 1].sort(() => { f(); return 0 }) })()', failed],
  ['a getter that reads itself', 'const o = { get x() { return o.x } }; o.x', failed],
  ['a replacer that replaces', '(function f() { "a".replace(/a/, f) })()', failed],
  ['a chain of bound functions', 'let f = () => 1; for (let i = 0; i < 5e4; i++) f = f.bind(null, i); f()', harmless],
  [
    'a chain of bound functions with many arguments',
    'let f = () => 1; for (let i = 0; i < 300; i++) f = f.bind(null, ...Array(3000).fill(0)); f()',
    harmless,
  ],
  ['a chain of proxies', 'let p = {}; for (let i = 0; i < 2e4; i++) p = new Proxy(p, {}); "x" in p', harmless],
  [
    'a chain of proxies of an array',
    'let p = []; for (let i = 0; i < 2e4; i++) p = new Proxy(p, {}); Array.isArray(p)',
    harmless,
  ],
  [
    'a prototype that is its own',
    'const p = new Proxy({}, { getPrototypeOf: () => p }); [].isPrototypeOf.call({}, p)',
    cpu,
  ],
  [
    'a species that is a prototype of the realm',
    'const a = [1, 2]; a.constructor = { [Symbol.species]: function () { return Array.prototype } }; try { a.map((x) => x) } catch {}',
    harmless,
  ],
  [
    'a species with a trap that never ends',
    'const a = [1]; a.constructor = { [Symbol.species]: function () { return new Proxy([], { defineProperty() { for (;;); } }) } }; a.map((x) => x)',
    cpu,
  ],
  [
    'a generator entered while it runs',
    'let g, r; function* f() { try { g.next() } catch (e) { r = e.name } yield } g = f(); g.next(); r',
    value('TypeError'),
  ],
  ['an exec that never ends', 'const r = /a/g; r.exec = () => ["", ""]; "a".match(r)', failed],
  [
    'captures without end',
    'const r = /a/; r.exec = () => ({ length: 2 ** 53, index: 0, 0: "a" }); "aaa".replace(r, "b")',
    harmless,
  ],
  [
    'an array emptied while it is sorted',
    'const a = Array.from({ length: 99 }, (_, i) => 99 - i); a.sort((x, y) => { a.length = 0; return x - y }); a.length',
    harmless,
  ],
  ['a join that joins itself', 'const a = [1, { toString: () => a.join() }]; a.join()', harmless],
  ['a promise that settles with itself', 'const t = { then(r) { r(t) } }; await t', cpu],
  ['an overflow caught in an overflow', '(function f() { try { f() } catch { f() } })()', failed],
  [
    'a reviver that parses',
    'JSON.parse("[".repeat(900) + "]".repeat(900), () => JSON.parse("[".repeat(900) + "]".repeat(900), () => 1))',
    harmless,
  ],
  [
    'helpers of the lowered code',
    'eval("try { __generator({}, function (s) { s.trys = null; return [1] }).next() } catch (e) {} try { __awaiter({}, {}, {}, 5) } catch (e) {} __spreadArray(5, 6)")',
    failed,
  ],
];

export const programs = Object.entries({
  'host reach': hostReach,
  pollution,
  leftovers,
  'CPU hogs': hogs,
  'memory hogs': hoarders,
  'serialisation traps': traps,
  'parser bombs': bombs,
  'bridge abuse': bridgeAbuse,
  'environment probes': probes,
  'native code re-entered': reentry,
}).flatMap(([category, list]) =>
  list.map(([title, source, expected, run = {}]) => ({ category, title, source, expected, run })),
);
