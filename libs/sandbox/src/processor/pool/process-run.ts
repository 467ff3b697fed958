import { createHash } from 'node:crypto';
import type { BridgeCall, BridgeReply } from '../../protocol/bridge-call.js';
import type { RawError } from '../../protocol/raw-error.js';
import type { Outcome } from '../../protocol/run.js';
import { explainError } from '../../scripts/compiler/diagnostics.js';
import type { PoolResult, PoolRun } from './script-pool.js';
import { refusal } from './wire.js';

/** A call that the host was asked, kept so that the run can be repeated. */
interface AskedCall {
  /** SHA-256 of the call: the arguments themselves may be megabytes. */
  readonly call: string;
  readonly reply: Promise<BridgeReply>;
}

/**
 * A run in a child process. It keeps the answers to its calls: should the child die of another run, this one is repeated,
 * and gets the same answers to the same calls without the host being asked, or acting, a second time. Answers that come to
 * more than `KEPT_CHARACTERS` are not kept; such a run is repeated from outside.
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

  constructor(
    readonly id: number,
    readonly request: PoolRun,
  ) {
    this.result = new Promise((resolve) => (this.resolve = resolve));
  }

  /** The run starts over, in another child. */
  repeat(): void {
    this.attempt++;
    this.calls = 0;
  }

  /** Answers a call of the present attempt; `undefined` where the attempt is over by then. */
  async answer(call: BridgeCall): Promise<BridgeReply | undefined> {
    const { attempt } = this;
    const reply = this.forgetful ? await this.answerOnce(call) : await this.answerAgain(call);
    return attempt === this.attempt ? reply : undefined;
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

  private async answerAgain(call: BridgeCall): Promise<BridgeReply> {
    const digest = createHash('sha256').update(JSON.stringify(call)).digest('base64');
    const known = this.asked[this.calls++];
    if (known) return known.call === digest ? await known.reply : CHANGED;
    const reply = this.ask(call);
    this.asked.push({ call: digest, reply });
    this.keep(await reply);
    return reply;
  }

  private async answerOnce(call: BridgeCall): Promise<BridgeReply> {
    return this.attempt === 0 ? await this.ask(call) : CHANGED;
  }

  private keep(reply: BridgeReply): void {
    this.kept += characters(reply);
    if (this.kept <= KEPT_CHARACTERS) return;
    this.forgetful = true;
    this.asked.length = 0;
  }

  private async ask(call: BridgeCall): Promise<BridgeReply> {
    try {
      return await this.request.onCall(call, this.controller.signal);
    } catch {
      return refusal('SANDBOX_BRIDGE', 'The host could not answer this call.');
    }
  }
}

/** Characters of answers kept of one run: 500 answers of a megabyte would be most of a processor's memory. */
const KEPT_CHARACTERS = 8 * 1024 * 1024;

/** The size of an answer as JSON; one that is no JSON is refused later, and counts as nothing here. */
function characters(reply: BridgeReply): number {
  try {
    return JSON.stringify(reply).length;
  } catch {
    return 0;
  }
}

/** The repeated script asked for something else (it uses the clock, or random numbers): the host repeats it from outside. */
const CHANGED: BridgeReply = {
  ok: false,
  error: {
    name: 'Error',
    message: 'The run was interrupted by a fault of another one and cannot be repeated in place.',
    code: 'SANDBOX_RUN_INTERRUPTED',
    fatal: 'restart',
  },
};
