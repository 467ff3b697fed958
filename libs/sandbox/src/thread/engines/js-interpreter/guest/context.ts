import type { LogLevel } from '../../../../protocol/run.js';
import type { EngineRun } from '../../../engine.js';
import { bigintText } from '../convert.js';
import { type NativeFn, protoFor, requireNew } from '../evaluator/functions.js';
import { defineClass, defineMethod, nativeFunction } from '../library/define.js';
import { fromJson, stringify } from '../library/json.js';
import { attempt } from '../library/promise.js';
import { ErrorObj, isCallable, machine, newArray, newObject } from '../machine.js';
import { ACCESSOR, ENUMERABLE, HIDDEN, Obj, PLAIN, Prop, type Value } from '../values.js';
import type { Bridge } from './bridge.js';

/** What the script has given as its result with `setResult`. */
export interface ResultBox {
  value: Value;
  given: boolean;
}

/** Characters of one line of log. */
const LOG_LINE = 65_536;
/** Characters kept of an error's texts. */
const TEXT = 8_192;

/** Puts the globals of the contract's "What a script sees" into the realm, for one run. */
export function installContext(run: EngineRun, bridge: Bridge, result: ResultBox): void {
  const { global } = machine.intrinsics;
  global.put('context', makeContext(run, bridge), HIDDEN);
  defineMethod(global, 'setResult', 1, (_self, [value]) => {
    result.value = value;
    result.given = true;
    return undefined;
  });
  const log = (name: string, level: LogLevel): NativeFn =>
    nativeFunction(name, 0, (_self, args) => {
      run.log(level, logLine(args));
      return undefined;
    });
  global.put('log', log('log', 'info'), HIDDEN);
  const console = newObject();
  for (const level of ['debug', 'info', 'warn', 'error'] as const) console.put(level, log(level, level));
  console.put('log', log('log', 'info'));
  global.put('console', console, HIDDEN);
  installRetryLater(global);
}

function makeContext(run: EngineRun, bridge: Bridge): Obj {
  const context = newObject();
  const input = fromJson(run.input) as Obj;
  const given = (name: string): Value => input.props.get(name)?.value;
  for (const name of ['entity', 'operation', 'action', 'userId', 'tenantId']) context.put(name, given(name) ?? null);
  context.put('orgName', given('tenantId') ?? null);
  for (const name of ['record', 'prevRecord']) context.put(name, given(name) ?? newObject());
  context.put('changed', given('changed') ?? newArray([]));
  for (const method of run.methods) installMethod(context, method, bridge);
  context.put('limits', makeLimits(run, bridge), HIDDEN);
  return context;
}

function installMethod(context: Obj, method: string, bridge: Bridge): void {
  const dot = method.indexOf('.');
  if (dot >= 0) {
    const service = method.slice(0, dot);
    if (!context.getOwn(service)) context.put(service, newObject(), HIDDEN);
    const holder = context.get(service) as Obj;
    const name = method.slice(dot + 1);
    holder.put(
      name,
      nativeFunction(name, 0, (_self, args) => bridge.service(method, args)),
      PLAIN,
    );
    return;
  }
  const builtin = method === 'query' || method === 'execute' || method === 'sendEmail' ? method : undefined;
  const call = nativeFunction(method, 1, (_self, args) =>
    builtin ? bridge[builtin](args) : bridge.service(method, args),
  );
  context.put(method, call, HIDDEN);
  if (method === 'query') context.put('retrieveMultiple', call, HIDDEN);
  if (method === 'execute') context.put('executeMultiple', call, HIDDEN);
}

const FIXED = ['wallMs', 'memoryBytes', 'emailRecipients', 'bridgeCallMs', 'logBytes', 'resultBytes', 'depth'] as const;

/** What is left of the limits. */
function makeLimits(run: EngineRun, bridge: Bridge): Obj {
  const limits = newObject();
  const amount = (name: 'cpuMs' | 'rowsRead' | 'rowsWritten' | keyof Bridge['used'], spent: () => number): void => {
    const getter = nativeFunction(`get ${name}`, 0, () => Math.max(0, Math.floor(run.limits[name] - spent())));
    limits.store(name, new Prop(undefined, ACCESSOR | ENUMERABLE, getter));
  };
  amount('cpuMs', () => run.cpuMs());
  amount('rowsRead', () => bridge.rowsRead);
  amount('rowsWritten', () => bridge.rowsWritten);
  for (const kind of ['queries', 'writes', 'emails', 'calls'] as const) amount(kind, () => bridge.used[kind]);
  for (const name of FIXED) limits.put(name, run.limits[name], ENUMERABLE);
  limits.preventExtensions();
  return limits;
}

function logLine(args: Value[]): string {
  let line = '';
  for (const [index, value] of args.entries()) {
    if (line.length >= LOG_LINE) break;
    line += `${index === 0 ? '' : ' '}${show(value).slice(0, LOG_LINE)}`;
  }
  return line.slice(0, LOG_LINE).replaceAll('\0', '\ufffd');
}

/** A value as a line of log shows it. */
export function show(value: Value): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint') return `${bigintText(value)}n`;
  if (!(value instanceof Obj)) return String(value);
  if (isCallable(value)) return '[function]';
  if (value instanceof ErrorObj) {
    const name = textOf(value, 'name') ?? 'Error';
    const message = textOf(value, 'message') ?? '';
    return message === '' ? name : `${name}: ${message}`;
  }
  const written = attempt(() => stringify(value));
  return 'value' in written && typeof written.value === 'string' ? written.value : '[object]';
}

/** A property that is a text, cut; `undefined` for everything else, also for a getter that throws. */
export function textOf(object: Obj, key: string): string | undefined {
  const read = attempt(() => object.get(key));
  return 'value' in read && typeof read.value === 'string' ? read.value.slice(0, TEXT) : undefined;
}

/** What `throw new RetryLater(...)` asks for. */
export class RetryLaterObj extends ErrorObj {
  constructor(
    proto: Obj,
    readonly afterMs: number,
  ) {
    super(proto);
  }
}

function installRetryLater(global: Obj): void {
  const proto = new Obj(machine.intrinsics.errorProtos.Error);
  const constructor = defineClass(global, 'RetryLater', 2, proto, (_self, [message, options], target) => {
    const after = options instanceof Obj ? options.get('afterMs') : undefined;
    const wanted = typeof after === 'number' && Number.isFinite(after) && after > 0 ? Math.floor(after) : 0;
    const error = new RetryLaterObj(protoFor(requireNew(target, 'RetryLater'), proto), wanted);
    if (message !== undefined) error.put('message', show(message), HIDDEN);
    return error;
  });
  constructor.setPrototype(global.get('Error') as Obj);
  proto.put('name', 'RetryLater', HIDDEN);
  proto.put('message', '', HIDDEN);
  proto.put('code', 'RETRY_LATER', HIDDEN);
}
