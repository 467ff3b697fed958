import { createHash } from 'node:crypto';
import { isTooDeep } from '../../protocol/json-depth.js';
import type { RawError } from '../../protocol/raw-error.js';
import type { Outcome } from '../../protocol/run.js';
import { explainError } from '../../scripts/compiler/diagnostics.js';
import { CallBudget } from './call-budget.js';
import { askHost, isGranted, type ReceivedCall } from './host-call.js';
import type { ReceivedResult } from './process-messages.js';
import type { PoolResult, PoolRun } from './script-pool.js';
import { parseCall, parseGuestJson, type WrittenReply } from './wire.js';

/** A call that the host was asked, kept so that the run can be repeated. */
interface AskedCall {
  /** SHA-256 of the call: the arguments themselves may be megabytes. */
  readonly call: string;
  readonly reply: Promise<WrittenReply>;
}

/**
 * A run in a child process. It keeps the answers to its calls: should the child die of another run, this one is repeated,
 * and gets the same answers to the same calls without the host being asked, or acting, a second time. Answers that come to
 * more than `KEPT_CHARACTERS` are not kept; such a run is repeated from outside.
 *
 * The child counts and checks all that its threads send. This side does so again: the child may have been taken over.
 */
export class ProcessRun {
  readonly result: Promise<PoolResult>;
  readonly startedAt = performance.now();
  private resolve!: (result: PoolResult) => void;
  private readonly controller = new AbortController();
  private readonly asked: AskedCall[] = [];
  /** How many calls the present attempt has made. */
  private calls = 0;
  private attempt = 0;
  private kept = 0;
  private forgetful = false;
  private budget: CallBudget;
  /** A call is being answered, or was answered with the end of the run: no honest child makes another one. */
  private isAsking = false;

  constructor(
    readonly id: number,
    readonly request: PoolRun,
  ) {
    this.result = new Promise((resolve) => (this.resolve = resolve));
    this.budget = new CallBudget(request.limits);
  }

  /** The run starts over, in another child. */
  repeat(): void {
    this.attempt++;
    this.calls = 0;
    this.isAsking = false;
    this.budget = new CallBudget(this.request.limits);
  }

  /** A call of the child's; `undefined` where it is none that an honest child would have passed on. */
  accept(text: string): ReceivedCall | undefined {
    const call = isTooDeep(text) ? undefined : parseCall(text);
    if (!call || this.isAsking || !isGranted(call, this.request.methods)) return undefined;
    return this.budget.spend(call) === undefined ? { call, text } : undefined;
  }

  /** Answers a call of the present attempt; `undefined` where the attempt is over by then. Never rejects. */
  async answer(received: ReceivedCall): Promise<WrittenReply | undefined> {
    const { attempt } = this;
    this.isAsking = true;
    const reply = this.forgetful ? await this.answerOnce(received) : await this.answerAgain(received);
    if (attempt !== this.attempt) return undefined;
    this.isAsking = reply.fatal !== undefined;
    return reply;
  }

  /** Ends with what the child says; false where no honest child would say it. */
  conclude({ valueText, ...result }: ReceivedResult): boolean {
    const { limits, methods } = this.request;
    const value = valueText === '' ? undefined : parseGuestJson(valueText);
    const { deferred, outcome } = result;
    // the child measured the bytes of the thread's own text, and wrote the value anew
    const fits = valueText.length <= 2 * limits.resultBytes && !isTooDeep(valueText);
    const granted = deferred.every(({ method }) => methods.includes(method)) && !this.budget.spendDeferred(deferred);
    const empty = valueText === '' && deferred.length === 0;
    if (!fits || !granted || (outcome !== 'ok' && !empty)) return false;
    this.end({ ...result, ...(value === undefined ? {} : { value }) });
    return true;
  }

  end(result: PoolResult): void {
    this.controller.abort();
    this.resolve(result);
  }

  fail(outcome: Outcome, raw: RawError): void {
    const error = explainError(raw, this.request.script, this.request.source);
    const wallMs = performance.now() - this.startedAt;
    this.end({ outcome, error, logs: [], deferred: [], usage: { cpuMs: 0, wallMs, waitMs: 0, calls: 0 } });
  }

  private async answerAgain(received: ReceivedCall): Promise<WrittenReply> {
    const digest = createHash('sha256').update(received.text).digest('base64');
    const known = this.asked[this.calls++];
    if (known) return known.call === digest ? await known.reply : CHANGED;
    const reply = this.ask(received);
    this.asked.push({ call: digest, reply });
    this.keep(await reply);
    return reply;
  }

  private async answerOnce(received: ReceivedCall): Promise<WrittenReply> {
    return this.attempt === 0 ? await this.ask(received) : CHANGED;
  }

  private keep({ written }: WrittenReply): void {
    this.kept += written.length;
    if (this.kept <= KEPT_CHARACTERS) return;
    this.forgetful = true;
    this.asked.length = 0;
  }

  private ask(received: ReceivedCall): Promise<WrittenReply> {
    return askHost(this.request, received, () => this.controller.signal, this.budget);
  }
}

/** Characters of answers kept of one run: 500 answers of a megabyte would be most of a processor's memory. */
const KEPT_CHARACTERS = 8 * 1024 * 1024;

/** The repeated script asked for something else (it uses the clock, or random numbers): the host repeats it from outside. */
const CHANGED: WrittenReply = {
  written: '',
  fatal: {
    outcome: 'cancelled',
    error: {
      name: 'Error',
      message: 'The run was interrupted by a fault of another one and cannot be repeated in place.',
      code: 'SANDBOX_RUN_INTERRUPTED',
    },
  },
};
