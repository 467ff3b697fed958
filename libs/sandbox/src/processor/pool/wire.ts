import type { BridgeCall, BridgeFailure, BridgeReply, DeferredCall } from '../../protocol/bridge-call.js';
import type { RawError, RawFrame, RawPosition } from '../../protocol/raw-error.js';
import { type LogLine, OUTCOMES } from '../../protocol/run.js';
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

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
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

function deferredCalls(value: unknown): DeferredCall[] | undefined {
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
}

/** A `result` message, or `undefined` where it is none. */
export function parseResult(text: string): ParsedResult | undefined {
  const [head = '', value = '', rest = '', ...more] = text.split('\n');
  const report = parseReport(parseGuestJson(head));
  const deferred = rest === '' ? [] : deferredCalls(parseGuestJson(rest));
  return report && deferred && more.length === 0 ? { report, value, deferred } : undefined;
}

function parseReport(value: unknown): RunReport | undefined {
  if (!isFields(value)) return undefined;
  const outcome = OUTCOMES.find((known) => known === value.outcome);
  if (!outcome || typeof value.cpuMs !== 'number') return undefined;
  return {
    outcome,
    cpuMs: within(value.cpuMs, MAX_MS),
    logs: Array.isArray(value.logs) ? value.logs.filter(isLogLine) : [],
    settles: value.settles === true,
    ...(isFields(value.error) ? { error: rawError(value.error) } : {}),
    ...(typeof value.retryAfterMs === 'number' ? { retryAfterMs: within(value.retryAfterMs, MAX_MS) } : {}),
    ...(typeof value.peakMemoryBytes === 'number'
      ? { peakMemoryBytes: within(value.peakMemoryBytes, Number.MAX_SAFE_INTEGER) }
      : {}),
  };
}

/** The longest that timers and queues can wait: 24.8 days. */
const MAX_MS = 2 ** 31 - 1;

/** A script may ask to be run again in 1e300 ms. */
function within(amount: number, most: number): number {
  return Math.min(Math.max(amount, 0), most);
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

/** The reply as it crosses: without `fatal`, which is the pool's business. `undefined` where it is no JSON. */
export function writeReply(reply: BridgeReply): string | undefined {
  try {
    return JSON.stringify(reply.ok ? reply : { ...reply, error: plain(reply.error) });
  } catch {
    return undefined;
  }
}

function plain({ name, message, code }: BridgeFailure): BridgeFailure {
  return { name, message, code };
}

/** What a guest gets where the host answered something that is no JSON. */
export const NO_JSON = refusal('SANDBOX_REPLY_NOT_JSON', 'What the host answered cannot be written as JSON.');
