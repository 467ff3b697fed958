import type { RawError } from '../../../../protocol/raw-error.js';
import type { EngineResult, EngineRun } from '../../../engine.js';
import { Abort, caught, ErrorObj, GuestThrow, isCallable, machine } from '../machine.js';
import { stringify } from '../library/json.js';
import { promiseFor } from '../library/promise.js';
import { type FnObj, Obj, type Value } from '../values.js';
import { Bridge } from './bridge.js';
import { installContext, type ResultBox, RetryLaterObj, show, textOf } from './context.js';

const NEVER = 'The script waits for a promise that nothing can settle any more.';

type State = { kind: 'pending' } | { kind: 'done'; value: Value } | { kind: 'thrown'; thrown: GuestThrow };

/** One run: calls the script, drains the jobs of its promises, and says what became of it. */
export class ScriptCall {
  private readonly bridge: Bridge;
  private readonly result: ResultBox = { value: undefined, given: false };
  private state: State = { kind: 'pending' };

  constructor(private readonly run: EngineRun) {
    this.bridge = new Bridge(run);
  }

  play(script: FnObj): EngineResult {
    const { limits } = this.run;
    machine.start({ cpuMs: () => this.run.cpuMs(), limitMs: limits.cpuMs, memoryBytes: limits.memoryBytes });
    try {
      const result = this.guarded(script);
      return machine.peakBytes > 0 ? { ...result, peakMemoryBytes: machine.peakBytes } : result;
    } finally {
      machine.stop();
    }
  }

  private guarded(script: FnObj): EngineResult {
    try {
      this.attempt(() => {
        installContext(this.run, this.bridge, this.result);
        this.start(script);
      });
      this.drain();
      return this.conclude();
    } catch (error) {
      return this.aborted(error);
    }
  }

  private start(script: FnObj): void {
    const value = script.call(undefined, []);
    if (!(value instanceof Obj) || !isCallable(value.get('then'))) {
      this.state = { kind: 'done', value };
      return;
    }
    promiseFor(value).react(
      (settled) => (this.state = { kind: 'done', value: settled }),
      (reason) => (this.state = { kind: 'thrown', thrown: new GuestThrow(reason) }),
    );
  }

  /** Runs guest code from the host: what it throws ends the run well described. */
  private attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.state = { kind: 'thrown', thrown: caught(error) };
      machine.restore(undefined, 0);
    }
  }

  private drain(): void {
    for (let at = 0; at < machine.jobs.length; at++) {
      machine.tick();
      const job = machine.jobs[at]!;
      runJob(job.run);
      if (at < 1_024) continue;
      machine.jobs.splice(0, at + 1);
      at = -1;
    }
    machine.jobs.length = 0;
  }

  private conclude(): EngineResult {
    const { state } = this;
    if (state.kind === 'pending') return { outcome: 'exception', error: { name: 'Error', message: NEVER } };
    if (state.kind === 'thrown') return this.failed(state.thrown);
    let json: string | undefined;
    try {
      json = stringify(this.result.given ? this.result.value : state.value);
    } catch (error) {
      const thrown = caught(error);
      machine.restore(undefined, 0);
      return this.failed(thrown);
    }
    const { resultBytes } = this.run.limits;
    if (json && json.length > resultBytes) {
      const message = `The script's value is ${json.length} characters of JSON; ${resultBytes} bytes are allowed.`;
      return { outcome: 'exceededOutput', error: { name: 'RangeError', message } };
    }
    const { deferred } = this.bridge;
    return { outcome: 'ok', ...(json === undefined ? {} : { value: json }), ...(deferred && { deferred }) };
  }

  private failed({ value, frames }: GuestThrow): EngineResult {
    const [position] = frames;
    const error: RawError = { ...describeThrown(value), ...(position && { position, frames }) };
    if (!(value instanceof RetryLaterObj)) return { outcome: 'exception', error };
    return { outcome: 'exception', error, retryAfterMs: value.afterMs };
  }

  private aborted(error: unknown): EngineResult {
    const { outcome } = asAbort(error);
    const frames = new GuestThrow(undefined).frames;
    const [position] = frames;
    return {
      outcome,
      error: { name: 'LimitError', message: this.reason(outcome), ...(position && { position, frames }) },
    };
  }

  private reason(outcome: Abort['outcome']): string {
    const { cpuMs, memoryBytes } = this.run.limits;
    if (outcome === 'exceededCpu') return `The script ran for more than ${cpuMs} ms.`;
    if (outcome === 'exceededMemory') return `The script held more than ${memoryBytes} bytes of memory.`;
    return 'The run was ended.';
  }
}

function runJob(job: () => void): void {
  try {
    job();
  } catch (error) {
    // What a job's own functions throw is nobody's to catch.
    caught(error);
    machine.restore(undefined, 0);
  }
}

/** A host's "Invalid string length" and the like: the script asked for more than there is. */
function asAbort(error: unknown): Abort {
  if (error instanceof Abort) return error;
  if (error instanceof RangeError) return new Abort('exceededMemory');
  throw error;
}

function describeThrown(value: Value): RawError {
  if (!(value instanceof Obj)) return { name: 'Error', message: show(value).slice(0, 8_192) };
  const code = textOf(value, 'code');
  return {
    name: textOf(value, 'name') ?? 'Error',
    message: textOf(value, 'message') ?? (value instanceof ErrorObj ? '' : show(value).slice(0, 8_192)),
    ...(code === undefined ? {} : { code }),
  };
}
