import type { BridgeReply } from '../../protocol/bridge-call.js';
import { DEEPEST_JSON, isTooDeep } from '../../protocol/json-depth.js';
import type { RawError } from '../../protocol/raw-error.js';
import type { LogLine, Outcome } from '../../protocol/run.js';
import type { RunReport } from '../../protocol/thread-messages.js';
import { explainError } from '../../scripts/compiler/diagnostics.js';
import { CallBudget } from './call-budget.js';
import { askHost, isGranted, type ReceivedCall } from './host-call.js';
import type { PoolResult, PoolRun } from './script-pool.js';
import {
  logLines,
  MAX_CALL,
  parseCall,
  parseGuestJson,
  type ParsedResult,
  parseResult,
  refusal,
  type WrittenReply,
  writeReply,
} from './wire.js';

/** What a run can do with the thread it is in. */
export interface RunLink {
  /** Answers the call the thread waits for. */
  reply(text: string): void;
  /** Answers the call with "the run is over". */
  stop(): void;
  /** What the run has logged, as far as its thread can still be read. */
  logs(): readonly LogLine[];
  /** Ends the thread. */
  terminate(): void;
}

/** How a run ends that the host ends. */
interface Verdict {
  readonly outcome: Outcome;
  readonly error: RawError;
  readonly at: number;
}

/** Milliseconds past its `cpuMs` after which a thread is ended that has not stopped by itself; a look is taken every 10. */
const CPU_GRACE_MS = 45;
/** Milliseconds a stopped guest gets to come to its end, which saves its log and its thread. */
const STOP_GRACE_MS = 40;
/** Milliseconds a thread may take before it starts on the script. */
const LOAD_MS = 20_000;

/**
 * One run on the host's side: answers its calls, counts them, watches its deadlines, and ends it exactly once.
 *
 *   queued ─► running ⇄ calling ─► ended        a verdict of the host: calling ─► stopping ─► ended, running ─► killed
 */
export class ActiveRun {
  /** Settled when the run has ended; never rejects. */
  readonly result: Promise<PoolResult>;
  readonly queuedAt = performance.now();
  private resolve!: (result: PoolResult) => void;
  private readonly budget: CallBudget;
  private controller: AbortController | undefined;
  private link: RunLink | undefined;
  private startedAt = 0;
  private waitedMs = 0;
  private calls = 0;
  /** When the call that is being answered was made. */
  private askedAt: number | undefined;
  /** The number of the call that is being answered; an answer to another one is late. */
  private turn = 0;
  private answering: Promise<unknown> | undefined;
  private verdict: Verdict | undefined;
  private spentMs = 0;
  ended = false;
  /** A thread has refused it already: once is that thread's doing, twice is its own. */
  handedBack = false;

  constructor(
    readonly request: PoolRun,
    /** The input as the thread gets it. */
    readonly input: string,
  ) {
    this.result = new Promise((resolve) => (this.resolve = resolve));
    this.budget = new CallBudget(request.limits);
  }

  /** The run has been handed to a thread. */
  begin(link: RunLink): void {
    this.link = link;
    this.startedAt = performance.now();
  }

  /** A `call` message of the thread. */
  takeCall(text: string): void {
    if (this.ended) return;
    if (this.verdict) return this.link?.stop();
    this.askedAt = performance.now();
    this.turn++;
    if (text.length > MAX_CALL) return this.answer(TOO_LARGE_CALL);
    if (isTooDeep(text)) return this.answer(TOO_DEEP_CALL);
    const call = parseCall(text);
    if (!call) return this.answer(BROKEN_CALL);
    this.calls += call.deferred.length + (call.method === 'flush' ? 0 : 1);
    const overrun = this.budget.spend(call);
    if (overrun) return this.end('exceededCalls', { name: 'LimitError', message: overrun });
    if (!isGranted(call, this.request.methods)) return this.answer(unknownMethod(call.method));
    void this.ask({ call, text }, this.turn);
  }

  /** A `result` message of the thread. */
  takeResult(text: string): RunReport | undefined {
    const parsed = parseResult(text, this.request.limits.logBytes);
    if (!parsed || this.ended) {
      if (!parsed) this.fail('internalError', BROKEN_RESULT);
      return parsed?.report;
    }
    const { report } = parsed;
    this.spentMs = report.cpuMs;
    if (this.verdict) this.conclude(this.verdict.outcome, { ...report.error, ...this.verdict.error }, report);
    else if (report.outcome !== 'ok') this.conclude(report.outcome, report.error, report);
    else this.succeed(parsed);
    return report;
  }

  /**
   * Ends what is past its deadline. `spentMs` is what the script has spent by the thread's clock, `undefined` while it
   * does not run.
   */
  check(now: number, spentMs: number | undefined): void {
    if (this.ended) return;
    const { cpuMs, wallMs, bridgeCallMs } = this.request.limits;
    if (this.verdict) return now - this.verdict.at > STOP_GRACE_MS ? this.kill() : undefined;
    if (now - this.startedAt > wallMs) return this.end('exceededWall', limitError(`took more than ${wallMs} ms`));
    if (this.askedAt !== undefined) return now - this.askedAt > bridgeCallMs ? this.timeOut(bridgeCallMs) : undefined;
    if (spentMs === undefined) return now - this.startedAt - this.waitedMs > LOAD_MS ? this.lose() : undefined;
    if (spentMs <= cpuMs + CPU_GRACE_MS) return;
    this.spentMs = spentMs;
    this.end('exceededCpu', limitError(`ran for more than ${cpuMs} ms`));
  }

  /** Ends the run as the host's verdict: at once where the thread is computing, through its pending call where it waits. */
  end(outcome: Outcome, error: RawError): void {
    if (this.ended || this.verdict) return;
    this.verdict = { outcome, error, at: performance.now() };
    this.controller?.abort();
    if (this.link && this.askedAt !== undefined) {
      this.stopWaiting();
      this.link.stop();
    } else this.kill();
  }

  /** The thread is gone, or never came. */
  fail(outcome: Outcome, error: RawError): void {
    const { verdict } = this;
    this.conclude(verdict?.outcome ?? outcome, verdict?.error ?? error);
  }

  private kill(): void {
    const { verdict, link } = this;
    if (verdict) this.conclude(verdict.outcome, verdict.error);
    link?.terminate();
  }

  private lose(): void {
    this.fail('internalError', { name: 'Error', message: `The thread did not start on the script in ${LOAD_MS} ms.` });
    this.link?.terminate();
  }

  /** Made for those who look at it: to make and to abort it takes a tenth of the host's share of a run. */
  private readonly signal = (): AbortSignal => (this.controller ??= new AbortController()).signal;

  private async ask(received: ReceivedCall, turn: number): Promise<void> {
    // an earlier call that timed out may still be at work: calls of one run come one at a time
    while (this.answering) await this.answering;
    if (turn !== this.turn || this.askedAt === undefined) return;
    const answering = askHost(this.request, received, this.signal, this.budget);
    this.answering = answering;
    const reply = await answering;
    this.answering = undefined;
    if (this.ended || this.verdict || turn !== this.turn) return;
    if (reply.fatal) this.end(reply.fatal.outcome, reply.fatal.error);
    else this.deliver(reply);
  }

  private answer(reply: BridgeReply): void {
    this.deliver(writeReply(reply));
  }

  private deliver({ written }: WrittenReply): void {
    this.stopWaiting();
    this.link?.reply(written);
  }

  private timeOut(bridgeCallMs: number): void {
    this.turn++;
    this.answer(refusal('SANDBOX_BRIDGE_TIMEOUT', `The call took more than ${bridgeCallMs} ms.`, 'TimeoutError'));
  }

  private stopWaiting(): void {
    if (this.askedAt !== undefined) this.waitedMs += performance.now() - this.askedAt;
    this.askedAt = undefined;
  }

  private succeed({ report, value, deferred, isTooDeep: deep }: ParsedResult): void {
    const { methods, limits } = this.request;
    const { resultBytes } = limits;
    if (value.length * 3 > resultBytes && Buffer.byteLength(value) > resultBytes) {
      const message = `The script's value is larger than ${resultBytes} bytes of JSON.`;
      return this.conclude('exceededOutput', { name: 'LimitError', message }, report);
    }
    if (!deferred.every(({ method }) => methods.includes(method))) return this.fail('internalError', BROKEN_RESULT);
    if (deep) return this.conclude('exceededOutput', tooDeep("The script's value, or what it wrote,"), report);
    this.calls += deferred.length;
    const overrun = this.budget.spendDeferred(deferred);
    if (overrun) return this.conclude('exceededCalls', { name: 'LimitError', message: overrun }, report);
    const parsed = value === '' ? undefined : parseGuestJson(value);
    this.settle({
      outcome: 'ok',
      ...(parsed === undefined ? {} : { value: parsed }),
      logs: report.logs,
      usage: this.usage(report),
      deferred,
    });
  }

  private conclude(outcome: Outcome, raw: Partial<RawError> | undefined, report?: RunReport): void {
    if (this.ended) return;
    const { script, source } = this.request;
    const error = explainError({ name: 'Error', message: '', ...raw }, script, source);
    const logs = report?.logs ?? logLines(this.link?.logs(), this.request.limits.logBytes);
    const retry = report?.retryAfterMs === undefined ? {} : { retryAfterMs: report.retryAfterMs };
    this.settle({ outcome, error, logs, usage: this.usage(report), deferred: [], ...retry });
  }

  private usage(report?: RunReport): PoolResult['usage'] {
    const peak = report?.peakMemoryBytes;
    return {
      cpuMs: round(this.spentMs),
      wallMs: this.startedAt === 0 ? 0 : round(performance.now() - this.startedAt),
      waitMs: round(this.waitedMs),
      ...(peak === undefined ? {} : { peakMemoryBytes: peak }),
      calls: this.calls,
    };
  }

  private settle(result: PoolResult): void {
    this.ended = true;
    this.stopWaiting();
    this.controller?.abort();
    this.resolve(result);
  }
}

function round(ms: number): number {
  return Math.round(Math.max(0, ms) * 1000) / 1000;
}

function limitError(what: string): RawError {
  return { name: 'LimitError', message: `The script ${what}.` };
}

function tooDeep(what: string): RawError {
  return { name: 'LimitError', message: `${what} is nested more than ${DEEPEST_JSON} levels deep.` };
}

function unknownMethod(method: string): BridgeReply {
  return refusal('SANDBOX_UNKNOWN_METHOD', `There is no method ${JSON.stringify(method.slice(0, 80))}.`, 'TypeError');
}

const BROKEN_RESULT: RawError = { name: 'Error', message: 'The thread sent a broken result.' };
const TOO_LARGE_CALL = refusal('SANDBOX_ARGUMENTS_TOO_LARGE', `A call takes at most ${MAX_CALL} characters of JSON.`);
const TOO_DEEP_CALL = refusal('SANDBOX_ARGUMENTS_TOO_DEEP', tooDeep('What this call carries').message, 'RangeError');
const BROKEN_CALL = refusal('SANDBOX_BROKEN_CALL', 'The call is not one the host understands.');
