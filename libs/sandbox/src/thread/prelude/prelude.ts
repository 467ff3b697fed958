/**
 * The guest's side of the contract's "What a script sees", as ES2023 source text. It evaluates to a function that takes
 * the three host functions and returns `{ install, start, finish }`; an engine keeps those out of the guest's reach.
 *
 * - `hostCall(request)`: JSON text of a `BridgeCall` to JSON text of a `BridgeReply`; `undefined` where the host has ended
 *   the run.
 * - `hostLog(line)`: the first character is the level (`d`, `i`, `w`, `e`), the rest the message.
 * - `hostCpu()`: milliseconds spent inside the script.
 * - `install(settings, body)`: once a script image: makes `context` with the methods of `settings` (JSON text of
 *   `PreludeSettings`) and keeps the script's function.
 * - `start(input, seed0, seed1, seed2, seed3)`: one run: fills in `context`, calls the script. Returns what `finish` does.
 * - `finish()`: how it stands, as text: `k<length>:<value><deferred>` (well; the value's JSON text has that many
 *   characters, the calls that are still buffered follow as JSON), `e<JSON of GuestError>`, `o` (value over the limit),
 *   `p` (waits for a promise). Pending jobs are run between `start` and `finish`.
 *
 * A script may overwrite every global and every prototype. So nothing below looks up a method on a value of the guest's
 * or on a prototype: primordials are captured first and called through `apply`, lists are linked lists or text, objects
 * that are read have no prototype or their keys are checked.
 *
 * Method names are identifiers with dots (the host checks them), so they need no escaping as JSON.
 *
 * Buffered calls are cleared only after the host has answered, in a statement that cannot fail: a stack overflow or a
 * memory error halfway must neither lose nor repeat a write.
 */
export const PRELUDE = String.raw`(function (hostCall, hostLog, hostCpu) {
'use strict';
const { apply, get: reflectGet, has: reflectHas, set: reflectSet, ownKeys, defineProperty: reflectDefine,
  deleteProperty, getOwnPropertyDescriptor: reflectDescriptor, getPrototypeOf: reflectPrototype } = Reflect;
const { parse, stringify } = JSON;
const { defineProperty, freeze, hasOwn } = Object;
const { isArray } = Array;
const { floor, max } = Math;
const { isFinite } = Number;
const GuestError = Error, GuestTypeError = TypeError, GuestProxy = Proxy, GuestString = String;
const slice = String.prototype.slice, indexOf = String.prototype.indexOf, charCodeAt = String.prototype.charCodeAt;
const symbolText = Symbol.prototype.toString, bigintText = BigInt.prototype.toString, fromCharCode = String.fromCharCode;
const { isError } = Error;
const Starved = InternalError.prototype, functionText = Function.prototype.toString;
const cut = (text, from, to) => apply(slice, text, [from, to]);
const own = (object, key) => (hasOwn(object, key) ? object[key] : undefined);
// our own functions print as native code, like those of the engine
const natives = new WeakSet(), isNative = natives.has, addNative = natives.add;
const native = (value) => (typeof value === 'function' && apply(addNative, natives, [value]), value);
const put = (object, key, value) =>
  defineProperty(object, key, { __proto__: null, value: native(value), writable: true, enumerable: true, configurable: true });
const hide = (object, key, value) =>
  defineProperty(object, key, { __proto__: null, value: native(value), writable: true, enumerable: false, configurable: true });
const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';

// ---- the realm: nothing shared, nothing finer than a millisecond, binary and bigint have a JSON form
for (const name of ['SharedArrayBuffer', 'Atomics', 'performance', 'WebAssembly', 'FinalizationRegistry', 'WeakRef', 'gc',
  'print', 'std', 'os', 'bjson', 'scriptArgs', 'navigator', 'InternalError']) delete globalThis[name];
// the engine alone says that memory is out
hide(Starved, 'constructor', GuestError);
hide(Function.prototype, 'toString', { toString() {
  if (!isObject(this) || !apply(isNative, natives, [this])) return apply(functionText, this, []);
  const name = reflectDescriptor(this, 'name')?.value;
  return 'function ' + (typeof name === 'string' ? name : '') + '() {\n    [native code]\n}';
} }.toString);
hide(BigInt.prototype, 'toJSON', { toJSON() { return apply(bigintText, this, []); } }.toJSON);
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
function base64(bytes) {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const three = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += ALPHABET[three >> 18] + ALPHABET[(three >> 12) & 63] +
      (i + 1 < bytes.length ? ALPHABET[(three >> 6) & 63] : '=') + (i + 2 < bytes.length ? ALPHABET[three & 63] : '=');
  }
  return text;
}
hide(Uint8Array.prototype, 'toJSON', { toJSON() { return base64(this); } }.toJSON);

let s0 = 1, s1 = 2, s2 = 3, s3 = 4;
// sfc32 by Chris Doty-Humphrey: seeded anew in every run, as the memory image holds the engine's own generator
function random32() {
  const t = (((s0 + s1) | 0) + s3) | 0;
  s3 = (s3 + 1) | 0;
  s0 = s1 ^ (s1 >>> 9);
  s1 = (s2 + (s2 << 3)) | 0;
  s2 = (s2 << 21) | (s2 >>> 11);
  s2 = (s2 + t) | 0;
  return t >>> 0;
}
hide(Math, 'random', { random() { return (random32() * 2097152 + (random32() >>> 11)) / 9007199254740992; } }.random);

// ---- what is left of the limits
let settings, used = { __proto__: null, queries: 0, writes: 0, emails: 0, calls: 0 }, rowsRead = 0, rowsWritten = 0;
const COUNTED = { __proto__: null, query: 'queries', execute: 'writes', sendEmail: 'emails' };
const count = (method) => {
  const kind = COUNTED[method] ?? 'calls';
  return ++used[kind] <= settings.limits[kind];
};
const left = (kind, spent) => max(0, floor(settings.limits[kind] - spent));

// ---- the bridge
let pending = '', pendingSize = 0, head = null, tail = null;
const node = () => ({ __proto__: null, done: false, failed: undefined, value: undefined, next: null });
function guestError(failure) {
  const text = (key, otherwise) => {
    const value = isObject(failure) ? own(failure, key) : undefined;
    return typeof value === 'string' ? value : otherwise;
  };
  const error = new GuestError(text('message', 'The host did not say why.'));
  hide(error, 'name', text('name', 'Error'));
  hide(error, 'code', text('code', 'SANDBOX_BRIDGE'));
  hide(error, 'stack', ownFrames(error.stack));
  return error;
}
// the lines of a stack text that are not about this file
function ownFrames(stack) {
  let kept = '';
  for (let from = 0, end; (end = apply(indexOf, stack, ['\n', from])) >= 0; from = end + 1) {
    const line = cut(stack, from, end + 1);
    if (apply(indexOf, line, [' (native:']) < 0) kept += line;
  }
  return kept;
}
function settle(first, answer) {
  const values = own(answer, 'deferred'), failedAt = own(answer, 'failedDeferred');
  let i = 0;
  for (let entry = first; entry !== null; entry = entry.next, i++) {
    if (isArray(values) && hasOwn(values, i)) entry.value = values[i];
    else if (answer.ok !== true) entry.failed = guestError(own(answer, 'error'));
    if (i === failedAt) entry.failed = guestError(own(answer, 'error'));
    entry.done = true;
  }
}
function cross(method, args, carries) {
  const request = '{"method":"' + method + '","args":[' + args + '],"deferred":[' + (carries ? pending : '') + ']}';
  const reply = hostCall(request);
  // the host has ended the run: go round until the interrupt comes, which nothing can catch
  if (reply === undefined) for (;;);
  let first = null;
  if (carries) { first = head; pending = ''; pendingSize = 0; head = null; tail = null; }
  const answer = parse(reply);
  if (first !== null) settle(first, answer);
  if (own(answer, 'ok') === true) return own(answer, 'value');
  throw guestError(own(answer, 'error'));
}
const MAX_BUFFERED = 1048576;
function buffer(method, args) {
  const text = (pendingSize === 0 ? '' : ',') + '{"method":"' + method + '","args":[' + args + ']}';
  const entry = node(), result = method === 'execute' ? lazy(entry) : 1;
  pending += text;
  pendingSize++;
  if (tail === null) head = entry; else tail.next = entry;
  tail = entry;
  if (pending.length > MAX_BUFFERED) cross('flush', '', true);
  return result;
}
// the result of a buffered execute: an array that is fetched when somebody looks at it
function lazy(entry) {
  const target = [];
  let filled = false;
  const fill = () => {
    if (filled) return;
    if (!entry.done) cross('flush', '', true);
    if (entry.failed !== undefined) throw entry.failed;
    const value = entry.value;
    if (!isArray(value)) throw new GuestTypeError('The result of this execute is not known.');
    for (let i = 0; i < value.length; i++) put(target, i, value[i]);
    filled = true;
  };
  return new GuestProxy(target, {
    __proto__: null,
    // "await context.execute(...)" asks for "then": that is no look at the rows
    get(_, key, receiver) { if (key === 'then' && !filled) return undefined; fill(); return reflectGet(target, key, receiver); },
    has(_, key) { fill(); return reflectHas(target, key); },
    set(_, key, value) { fill(); return reflectSet(target, key, value); },
    ownKeys() { fill(); return ownKeys(target); },
    deleteProperty(_, key) { fill(); return deleteProperty(target, key); },
    defineProperty(_, key, descriptor) { fill(); return reflectDefine(target, key, descriptor); },
    getOwnPropertyDescriptor(_, key) { fill(); return reflectDescriptor(target, key); },
  });
}
const MAX_ARGUMENTS = 8388608;
function argument(value) {
  const text = stringify(value);
  if (text === undefined) return 'null';
  if (text.length > MAX_ARGUMENTS) throw guestError({
    __proto__: null, name: 'RangeError', code: 'SANDBOX_ARGUMENTS_TOO_LARGE',
    message: 'The arguments of this call are ' + text.length + ' characters of JSON; at most ' + MAX_ARGUMENTS + ' may cross.',
  });
  return text;
}
function crossing(method) {
  return (...args) => {
    let text = '';
    for (let i = 0; i < args.length; i++) text += (i === 0 ? '' : ',') + argument(args[i]);
    count(method);
    return cross(method, text, !own(settings.pure, method));
  };
}
function query(q) {
  const text = argument(q);
  count('query');
  const rows = cross('query', text, true);
  if (isArray(rows)) rowsRead += rows.length;
  return rows;
}
function waits(method, text) {
  // past the limit it crosses at once, so that the host can end the run
  return count(method) && settings.deferred ? buffer(method, text) : cross(method, text, true);
}
function execute(requests) {
  const text = argument(requests);
  rowsWritten += isArray(requests) ? requests.length : 1;
  return waits('execute', text);
}
function sendEmail(to, cc, bcc, subject, body) {
  const mail = isObject(to) && !isArray(to) ? to : { __proto__: null, to, cc, bcc, subject, text: body };
  return waits('sendEmail', argument(mail));
}
const METHODS = { __proto__: null, query, execute, sendEmail };
const ALIASES = { __proto__: null, query: 'retrieveMultiple', execute: 'executeMultiple' };

// ---- log
const LOG_LINE = 65536;
function show(value) {
  if (typeof value === 'string') return value;
  if (typeof value === 'symbol') return apply(symbolText, value, []);
  if (typeof value === 'bigint') return apply(bigintText, value, []) + 'n';
  if (typeof value === 'function') return '[function]';
  if (typeof value !== 'object' || value === null) return GuestString(value);
  if (isError(value)) return showError(value);
  try { return stringify(value) ?? '[object]'; } catch (error) { return '[object]'; }
}
function showError(error) {
  const name = text(error, 'name') ?? 'Error', message = text(error, 'message') ?? '';
  return message === '' ? name : name + ': ' + message;
}
function write(level, args) {
  let line = '';
  for (let i = 0; i < args.length && line.length < LOG_LINE; i++) line += (i === 0 ? '' : ' ') + cut(show(args[i]), 0, LOG_LINE);
  // the wire ends at a NUL
  for (let at = apply(indexOf, line, ['\0']); at >= 0; at = apply(indexOf, line, ['\0', at]))
    line = cut(line, 0, at) + fromCharCode(0xfffd) + cut(line, at + 1);
  hostLog(level + cut(line, 0, LOG_LINE));
}

// ---- the run
class RetryLater extends Error {
  #afterMs = 0;
  constructor(message, options) {
    super(message);
    const after = isObject(options) ? options.afterMs : undefined;
    if (typeof after === 'number' && isFinite(after) && after > 0) this.#afterMs = floor(after);
  }
  static afterMs(error) { return #afterMs in error ? error.#afterMs : undefined; }
}
const retryAfterMs = RetryLater.afterMs;
delete RetryLater.afterMs;
hide(RetryLater.prototype, 'name', 'RetryLater');
hide(RetryLater.prototype, 'code', 'RETRY_LATER');

function text(object, key) {
  try {
    const value = object[key];
    return typeof value === 'string' ? cut(value, 0, 8192) : undefined;
  } catch (error) { return undefined; }
}
// a string is "too long" from a gigabyte on, more than any limit
function isStarved(error) {
  if (!isError(error) || reflectPrototype(error) !== Starved) return false;
  const message = text(error, 'message');
  return message === 'out of memory' || message === 'string too long';
}
function describe(error) {
  if (!isObject(error)) return { __proto__: null, name: 'Error', message: cut(show(error), 0, 8192), isNull: error === null };
  return {
    __proto__: null,
    isStarved: isStarved(error),
    name: text(error, 'name') || 'Error',
    message: text(error, 'message') ?? (isError(error) ? '' : cut(show(error), 0, 8192)),
    code: text(error, 'code'),
    stack: text(error, 'stack'),
    retryAfterMs: retryAfterMs(error),
  };
}

let body, state = 'pending', value, thrown, result, resultSet = false;
async function wait(promise) {
  try { value = await promise; state = 'done'; } catch (error) { thrown = error; state = 'thrown'; }
}
function finish() {
  if (state === 'pending') return 'p';
  if (state === 'thrown') return 'e' + stringify(describe(thrown));
  try {
    const json = stringify(resultSet ? result : value) ?? '';
    if (json.length > settings.limits.resultBytes) return 'o' + json.length;
    return 'k' + json.length + ':' + json + (pending === '' ? '' : '[' + pending + ']');
  } catch (error) {
    return 'e' + stringify(describe(error));
  }
}
// every key is there from the beginning, so that a run assigns to own properties
const context = { entity: null, operation: null, action: null, userId: null, tenantId: null, orgName: null,
  record: null, prevRecord: null, changed: null };
function start(input, a, b, c, d) {
  s0 = a; s1 = b; s2 = c; s3 = d;
  // no code of the guest has run yet: nothing here is anybody else's
  const data = parse(input);
  context.entity = data.entity ?? null;
  context.operation = data.operation ?? null;
  context.action = data.action ?? null;
  context.userId = data.userId ?? null;
  context.tenantId = context.orgName = data.tenantId ?? null;
  context.record = data.record ?? {};
  context.prevRecord = data.prevRecord ?? {};
  context.changed = data.changed ?? [];
  try {
    const returned = body();
    if (isObject(returned) && typeof returned.then === 'function') wait(returned);
    else { value = returned; state = 'done'; }
  } catch (error) {
    thrown = error;
    state = 'thrown';
  }
  return finish();
}
function install(text, script) {
  if (typeof script !== 'function') throw new GuestTypeError('The script is not a function body.');
  settings = parse(text);
  body = script;
  hide(globalThis, 'context', context);
  for (let i = 0; i < settings.methods.length; i++) {
    const name = settings.methods[i], dot = apply(indexOf, name, ['.']);
    if (dot < 0) {
      const method = METHODS[name] ?? crossing(name);
      hide(context, name, method);
      if (ALIASES[name] !== undefined) hide(context, ALIASES[name], method);
      continue;
    }
    const service = cut(name, 0, dot);
    if (!hasOwn(context, service)) hide(context, service, {});
    put(context[service], cut(name, dot + 1), crossing(name));
  }
  const limits = {}, amount = (name, spent) =>
    defineProperty(limits, name, { __proto__: null, enumerable: true, get: native(() => left(name, spent())) });
  amount('cpuMs', hostCpu);
  amount('rowsRead', () => rowsRead);
  amount('rowsWritten', () => rowsWritten);
  for (const kind of ['queries', 'writes', 'emails', 'calls']) amount(kind, () => used[kind]);
  for (const kind of ['wallMs', 'memoryBytes', 'emailRecipients', 'bridgeCallMs', 'logBytes', 'resultBytes', 'depth'])
    put(limits, kind, settings.limits[kind]);
  hide(context, 'limits', freeze(limits));
}
const log = (...args) => write('i', args);
hide(globalThis, 'log', log);
hide(globalThis, 'setResult', (outcome) => { result = outcome; resultSet = true; });
hide(globalThis, 'RetryLater', RetryLater);
hide(globalThis, 'console', {
  log, info: log,
  debug: native((...args) => write('d', args)),
  warn: native((...args) => write('w', args)),
  error: native((...args) => write('e', args)),
});
return { __proto__: null, install, start, finish };
})`;

/** What `install` is given as JSON text. */
export interface PreludeSettings {
  readonly methods: readonly string[];
  /** Pure methods as keys, each `true`. */
  readonly pure: Readonly<Record<string, true>>;
  readonly deferred: boolean;
  readonly limits: Readonly<Record<string, number>>;
}

/** What `finish` gives for a script that threw, as JSON. */
export interface GuestError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  /** The engine's own text of the call stack; a guest can have forged it. */
  readonly stack?: string;
  readonly retryAfterMs?: number;
  /** Made by the engine, as memory was out. */
  readonly isStarved?: boolean;
  /** What was thrown is `null`: the script's own, or all that the engine had memory for. */
  readonly isNull?: boolean;
}
