import { isTooDeep } from '../../protocol/json-depth.js';
import type { RunResult, ScriptError } from '../../protocol/run.js';
import { OUTCOMES } from '../../protocol/run.js';
import type { PoolResult, PoolRun, PoolStats, ReplacedReason } from './script-pool.js';
import type { ThreadPoolOptions } from './thread-pool.js';
import {
  deferredCalls,
  type Fields,
  isFields,
  logLines,
  MAX_CALL,
  MAX_MS,
  parseGuestJson,
  within,
  type WrittenReply,
} from './wire.js';

/** A run as it travels to the child: without its functions and its signal. */
export type TravellingRun = Omit<PoolRun, 'onCall' | 'signal'>;

/** What the processor says to the child process that holds its threads. */
export type ToChild =
  | { readonly type: 'open'; readonly options: ThreadPoolOptions }
  | { readonly type: 'run'; readonly id: number; readonly run: TravellingRun }
  | { readonly type: 'reply'; readonly id: number; readonly turn: number; readonly reply: WrittenReply }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'close'; readonly drainMs: number };

/** What the child process says to the processor. */
export type FromChild =
  | { readonly type: 'ready' }
  | { readonly type: 'replaced'; readonly reason: ReplacedReason }
  /** `text`: the call's JSON, as its thread sent it. */
  | { readonly type: 'call'; readonly id: number; readonly turn: number; readonly text: string }
  | { readonly type: 'result'; readonly id: number; readonly result: ReceivedResult; readonly stats: PoolStats };

/** A result whose value has not been looked at yet. */
export interface ReceivedResult extends Omit<PoolResult, 'value'> {
  /** JSON text, empty where there is none. */
  readonly valueText: string;
}

// A message is a line of JSON, and behind it as they are the texts that are large: of a reply its JSON, of a call its
// JSON, of a result a line with the JSON of its value and a line with that of its deferred calls.

/** @throws TypeError where a run's input is no JSON. */
export function writeToChild(message: ToChild): string {
  if (message.type !== 'reply') return JSON.stringify(message);
  const { written, fatal } = message.reply;
  return `${JSON.stringify({ ...message, reply: { fatal } })}\n${written}`;
}

/** A message of the processor's, which the child trusts. */
export function readToChild(frame: string): ToChild {
  const [head, written] = split(frame);
  const message = JSON.parse(head) as ToChild;
  return message.type === 'reply' ? { ...message, reply: { ...message.reply, written } } : message;
}

/** Writes a result of the child's pool. */
export function writeResult(id: number, { value, deferred, ...report }: PoolResult, stats: PoolStats): string {
  const head = JSON.stringify({ type: 'result', id, report, stats });
  return `${head}\n${JSON.stringify(value) ?? ''}\n${JSON.stringify(deferred)}`;
}

/** Writes a call for the processor to answer. */
export function writeCall(id: number, turn: number, text: string): string {
  return `${JSON.stringify({ type: 'call', id, turn })}\n${text}`;
}

/** Says that a thread of the child's is gone. */
export function writeReplaced(reason: ReplacedReason): string {
  return JSON.stringify({ type: 'replaced', reason });
}

/** Says that the child is there. */
export const READY_FRAME = JSON.stringify({ type: 'ready' });

/**
 * A message of the child's, which may have been taken over: checked field by field, and cut to size. `undefined` for what
 * is none. `logBytesOf` says how much log the run of that number may keep.
 */
export function readFromChild(frame: string, logBytesOf: (id: number) => number): FromChild | undefined {
  const [head, rest] = split(frame);
  const message = parseGuestJson(head);
  if (!isFields(message)) return undefined;
  if (message.type === 'ready') return { type: 'ready' };
  if (message.type === 'replaced') return readReplaced(message.reason);
  const { type, id, turn } = message;
  if (!isCount(id)) return undefined;
  if (type === 'result') return readResult(id, message, rest, logBytesOf(id));
  if (type !== 'call' || !isCount(turn) || rest.length > MAX_CALL) return undefined;
  return { type, id, turn, text: rest };
}

const REASONS: readonly ReplacedReason[] = ['start', 'deadline', 'fault', 'memory', 'idle'];

function readReplaced(said: unknown): FromChild | undefined {
  const reason = REASONS.find((known) => known === said);
  return reason && { type: 'replaced', reason };
}

function split(frame: string): [head: string, rest: string] {
  const end = frame.indexOf('\n');
  return end < 0 ? [frame, ''] : [frame.slice(0, end), frame.slice(end + 1)];
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function readResult(id: number, { report, stats }: Fields, rest: string, logBytes: number): FromChild | undefined {
  const [valueText, deferredText] = split(rest);
  const deferred = isTooDeep(deferredText) ? undefined : deferredCalls(parseGuestJson(deferredText));
  const checked = isFields(report) ? readReport(report, logBytes) : undefined;
  if (!checked || !deferred) return undefined;
  return { type: 'result', id, result: { ...checked, valueText, deferred }, stats: readStats(stats) };
}

function readReport(report: Fields, logBytes: number): Omit<ReceivedResult, 'valueText' | 'deferred'> | undefined {
  const outcome = OUTCOMES.find((known) => known === report.outcome);
  if (!outcome) return undefined;
  return {
    outcome,
    logs: logLines(report.logs, logBytes),
    usage: readUsage(isFields(report.usage) ? report.usage : {}),
    ...(isFields(report.error) ? { error: readError(report.error) } : {}),
    ...(typeof report.retryAfterMs === 'number' ? { retryAfterMs: amount(report.retryAfterMs, MAX_MS) } : {}),
  };
}

function readUsage({ cpuMs, wallMs, waitMs, calls, peakMemoryBytes }: Fields): RunResult['usage'] {
  return {
    cpuMs: amount(cpuMs, MAX_MS),
    wallMs: amount(wallMs, MAX_MS),
    waitMs: amount(waitMs, MAX_MS),
    calls: amount(calls, Number.MAX_SAFE_INTEGER),
    ...(peakMemoryBytes === undefined ? {} : { peakMemoryBytes: amount(peakMemoryBytes, Number.MAX_SAFE_INTEGER) }),
  };
}

function readStats(stats: unknown): PoolStats {
  const { threads, busy, waiting } = isFields(stats) ? stats : {};
  const count = (value: unknown): number => Math.floor(amount(value, 1_000_000));
  return { threads: count(threads), busy: count(busy), waiting: count(waiting) };
}

function amount(value: unknown, most: number): number {
  return typeof value === 'number' ? within(value, most) : 0;
}

/** Characters of each text of an error; more than the child's own caps, so that honest ones pass unchanged. */
const MAX_ERROR_TEXT = { name: 200, message: 3_000, code: 200, frame: 3_000, stack: 8_000 } as const;

function readError(error: Fields): ScriptError {
  const text = (key: keyof typeof MAX_ERROR_TEXT): string | undefined => {
    const value = error[key];
    return typeof value === 'string' ? value.slice(0, MAX_ERROR_TEXT[key]) : undefined;
  };
  const { line, column } = error;
  const [code, frame, stack] = [text('code'), text('frame'), text('stack')];
  return {
    name: text('name') ?? 'Error',
    message: text('message') ?? '',
    ...(code === undefined ? {} : { code }),
    ...(isCount(line) ? { line } : {}),
    ...(isCount(column) ? { column } : {}),
    ...(frame === undefined ? {} : { frame }),
    ...(stack === undefined ? {} : { stack }),
  };
}
