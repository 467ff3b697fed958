import type { BridgeCall, BridgeFailure, BridgeReply, DeferredCall } from '../../protocol/bridge-call.js';
import { isTooDeep } from '../../protocol/json-depth.js';
import type { RawError, RawFrame, RawPosition } from '../../protocol/raw-error.js';
import { type LogLine, type Outcome, OUTCOMES } from '../../protocol/run.js';
import type { RunReport } from '../../protocol/thread-messages.js';

/** Characters of JSON that the arguments of one call may have. */
export const MAX_CALL = 16 * 1024 * 1024;
/** Characters of JSON that the answer to one call may have. */
export const MAX_REPLY = 16 * 1024 * 1024;

const LEVELS: readonly unknown[] = ['debug', 'info', 'warn', 'error'];

/**
 * Parses JSON that a guest made; `undefined` for what is not JSON. Keys named `__proto__` are dropped: `JSON.parse` keeps
 * them as harmless own properties, but the first `Object.assign` in a host's bridge method would make a prototype of them.
 */
export function parseGuestJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    if (text.includes('__proto__') || text.includes('\\u005')) dropProto(value);
    return value;
  } catch {
    return undefined;
  }
}

/** A walk of our own: a reviver for `JSON.parse` takes ten times as long, 1.3 s for 3 MB, in which nobody is served. */
function dropProto(value: unknown): void {
  const queue: unknown[] = [value];
  while (queue.length > 0) {
    const next = queue.pop();
    if (typeof next !== 'object' || next === null) continue;
    if (Object.hasOwn(next, '__proto__')) delete (next as Record<string, unknown>)['__proto__'];
    for (const child of Object.values(next)) if (typeof child === 'object' && child !== null) queue.push(child);
  }
}

/** An object of which nothing is known yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** Whether a value has fields to look at. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

/** A `call` message, or `undefined` where it is none. */
export function parseCall(text: string): BridgeCall | undefined {
  const value = parseGuestJson(text);
  if (!isFields(value)) return undefined;
  const { method, args } = value;
  const deferred = deferredCalls(value.deferred);
  return typeof method === 'string' && Array.isArray(args) && deferred ? { method, args, deferred } : undefined;
}

/** Deferred calls, or `undefined` where they are none. */
export function deferredCalls(value: unknown): DeferredCall[] | undefined {
  if (!Array.isArray(value) || !value.every(isDeferredCall)) return undefined;
  return value.map(({ method, args }) => ({ method, args }));
}

function isDeferredCall(value: unknown): value is DeferredCall {
  if (!isFields(value)) return false;
  return (value.method === 'execute' || value.method === 'sendEmail') && Array.isArray(value.args);
}

/** A `result` message in its parts. */
export interface ParsedResult {
  readonly report: RunReport;
  /** JSON text of the value, empty where there is none. */
  readonly value: string;
  readonly deferred: readonly DeferredCall[];
  /** The value, or what a deferred call carries, is nested too deeply to be handled. */
  readonly isTooDeep: boolean;
}

/** A `result` message of a run that may keep so many bytes of log, or `undefined` where it is none. */
export function parseResult(text: string, logBytes: number): ParsedResult | undefined {
  const [head = '', value = '', rest = '', ...more] = text.split('\n');
  const report = parseReport(parseGuestJson(head), logBytes);
  const deferred = rest === '' ? [] : deferredCalls(parseGuestJson(rest));
  if (!report || !deferred || more.length > 0) return undefined;
  return { report, value, deferred, isTooDeep: isTooDeep(value) || isTooDeep(rest) };
}

function parseReport(value: unknown, logBytes: number): RunReport | undefined {
  if (!isFields(value)) return undefined;
  const outcome = OUTCOMES.find((known) => known === value.outcome);
  if (!outcome || typeof value.cpuMs !== 'number') return undefined;
  return {
    outcome,
    cpuMs: within(value.cpuMs, MAX_MS),
    logs: logLines(value.logs, logBytes),
    settles: value.settles === true,
    ...(isFields(value.error) ? { error: rawError(value.error) } : {}),
    ...(typeof value.retryAfterMs === 'number' ? { retryAfterMs: within(value.retryAfterMs, MAX_MS) } : {}),
    ...(typeof value.peakMemoryBytes === 'number'
      ? { peakMemoryBytes: within(value.peakMemoryBytes, Number.MAX_SAFE_INTEGER) }
      : {}),
  };
}

/** The longest that timers and queues can wait: 24.8 days. */
export const MAX_MS = 2 ** 31 - 1;

/** A script may ask to be run again in 1e300 ms. */
export function within(amount: number, most: number): number {
  return Math.min(Math.max(amount, 0), most);
}

/** Bytes counted for a line of log beside its text, here and in the thread. */
const LINE_OVERHEAD = 16;

/** The lines of a log that are some, without what else they may carry; of too many, the latest. */
export function logLines(value: unknown, maxBytes: number): LogLine[] {
  const lines = Array.isArray(value) ? value.filter(isLogLine) : [];
  let first = lines.length;
  for (let bytes = 0; first > 0; first--) {
    bytes += Buffer.byteLength((lines[first - 1] as LogLine).message) + LINE_OVERHEAD;
    if (bytes > maxBytes) break;
  }
  return lines.slice(first).map(({ level, message }) => ({ level, message }));
}

function isLogLine(value: unknown): value is LogLine {
  return isFields(value) && LEVELS.includes(value.level) && typeof value.message === 'string';
}

function rawError(value: Fields): RawError {
  const frames = Array.isArray(value.frames) ? value.frames.filter(isFrame) : undefined;
  return {
    name: textOr(value.name, 'Error'),
    message: textOr(value.message, ''),
    ...(typeof value.code === 'string' ? { code: value.code } : {}),
    ...(isPosition(value.position) ? { position: value.position } : {}),
    ...(frames ? { frames } : {}),
  };
}

function isPosition(value: unknown): value is RawPosition {
  return isFields(value) && Number.isSafeInteger(value.line) && Number.isSafeInteger(value.column);
}

function isFrame(value: unknown): value is RawFrame {
  return isPosition(value) && typeof (value as Partial<RawFrame>).name === 'string';
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

/** A refusal of the pool's own, as the guest sees it. */
export function refusal(code: string, message: string, name = 'Error'): BridgeReply {
  return { ok: false, error: { name, message, code } };
}

/** A reply as it crosses. */
export interface WrittenReply {
  /** Its JSON; empty where the run has to end instead. */
  readonly written: string;
  /** How the run has to end. */
  readonly fatal?: { readonly outcome: Outcome; readonly error: RawError };
}

/** A reply as JSON. One that is no JSON, or too large, becomes a failed call of the guest's. */
export function writeReply(reply: BridgeReply): WrittenReply {
  try {
    if (!reply.ok && reply.error.fatal) return fatalReply(reply.error, reply.error.fatal);
    const written = JSON.stringify(reply.ok ? reply : { ...reply, error: plain(reply.error) });
    return { written: written.length > MAX_REPLY ? TOO_LARGE_REPLY : written };
  } catch {
    return { written: NO_JSON };
  }
}

function fatalReply(failure: BridgeFailure, fatal: 'exceededCalls' | 'restart'): WrittenReply {
  return { written: '', fatal: { outcome: fatal === 'restart' ? 'cancelled' : fatal, error: plain(failure) } };
}

function plain({ name, message, code }: BridgeFailure): BridgeFailure {
  return { name, message, code };
}

const NO_JSON = JSON.stringify(refusal('SANDBOX_REPLY_NOT_JSON', 'What the host answered cannot be written as JSON.'));
const TOO_LARGE_REPLY = JSON.stringify(
  refusal(
    'SANDBOX_REPLY_TOO_LARGE',
    `The answer to this call is more than ${MAX_REPLY} characters of JSON: ask for fewer rows or columns.`,
    'RangeError',
  ),
);
