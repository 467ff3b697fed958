import type { Limits } from '../../../protocol/limits.js';
import type { RawError } from '../../../protocol/raw-error.js';
import type { LogLevel, Outcome } from '../../../protocol/run.js';
import type { CompiledScript } from '../../../protocol/script.js';
import type { EngineResult, EngineRun, ScriptEngine } from '../../engine.js';
import type { GuestError, PreludeSettings } from '../../prelude/prelude.js';
import { type MemoryImage, sizeOf } from './memory-image.js';
import { type EngineError, type GuestAnswer, type GuestHost, QuickJsSandbox } from './sandbox.js';
import { framesOf } from './stack-trace.js';

/** Images of scripts a thread keeps, in bytes: about 90 scripts. */
const IMAGE_BYTES = 16 * 1024 * 1024;
/** Sandboxes of different memory sizes a thread keeps. */
const SANDBOXES = 2;
/**
 * Memory of discarded sandboxes, in bytes, after which the thread asks to be replaced: it is garbage, but not free before
 * the next large collection, and a hoarder that comes again must not find it still there.
 */
const DISCARDED_BYTES = 48 * 1024 * 1024;
/** Promise jobs between two looks at the clock. */
const JOBS = 256;
const LEVELS: Readonly<Record<string, LogLevel>> = { d: 'debug', i: 'info', w: 'warn', e: 'error' };

/** A sandbox and the images of the scripts that were loaded in it. */
interface Workshop {
  readonly sandbox: QuickJsSandbox;
  readonly images: Map<string, MemoryImage>;
  bytes: number;
}

/** QuickJS in WebAssembly: every run starts from a pristine image of the sandbox's memory (decision 3). */
export class QuickJsEngine implements ScriptEngine {
  readonly id = 'quickjs';
  /** By memory limit, the least recently used first. */
  private readonly workshops = new Map<number, Workshop>();
  private readonly random = new Uint32Array(256);
  private seeds = this.random.length;
  private discarded = 0;

  constructor(private readonly wasm: unknown) {}

  async load(_script: CompiledScript, limits: Readonly<Limits>): Promise<void> {
    const key = limits.memoryBytes;
    const known = this.workshops.get(key);
    if (known) this.workshops.delete(key);
    const workshop = known ?? { sandbox: await QuickJsSandbox.create(this.wasm, key), images: new Map(), bytes: 0 };
    this.workshops.set(key, workshop);
    if (this.workshops.size > SANDBOXES) this.discard(this.workshops.keys().next().value as number);
  }

  forget(hash: string): void {
    for (const workshop of this.workshops.values()) {
      for (const [key, image] of workshop.images) {
        if (!key.startsWith(hash)) continue;
        workshop.images.delete(key);
        workshop.bytes -= sizeOf(image);
      }
    }
  }

  run(run: EngineRun): EngineResult {
    const workshop = this.workshops.get(run.limits.memoryBytes) as Workshop;
    const guest = new QuickJsRun(run);
    const image = this.imageOf(workshop, run, guest);
    if ('message' in image) return { ...this.failedLoad(image, guest), settles: workshop.sandbox.spent };
    workshop.sandbox.restore(image);
    const result = guest.play(workshop.sandbox, this.nextSeeds());
    const { spent, peakBytes } = workshop.sandbox;
    return { ...result, peakMemoryBytes: peakBytes, settles: spent };
  }

  async settle(): Promise<boolean> {
    for (const [key, { sandbox }] of this.workshops) {
      if (!sandbox.spent) continue;
      this.discard(key);
      if (this.discarded <= DISCARDED_BYTES) await this.load(NO_SCRIPT, { memoryBytes: key } as Limits);
    }
    return this.discarded <= DISCARDED_BYTES;
  }

  /** Hash of the memory from which the runs of every limit would start, were there no script. For tests. */
  hashes(): string[] {
    return [...this.workshops.values()].map(({ sandbox }) => {
      sandbox.restore();
      return sandbox.hash();
    });
  }

  private imageOf(workshop: Workshop, run: EngineRun, guest: QuickJsRun): MemoryImage | EngineError {
    const settings = settingsOf(run);
    const key = run.script.hash + settings;
    const known = workshop.images.get(key);
    if (known) {
      workshop.images.delete(key);
      workshop.images.set(key, known);
      return known;
    }
    const image = workshop.sandbox.loadScript(run.script, settings, guest);
    if ('message' in image) return image;
    workshop.images.set(key, image);
    workshop.bytes += sizeOf(image);
    for (const [oldest, { heap, statics }] of workshop.images) {
      if (workshop.bytes <= IMAGE_BYTES || oldest === key) break;
      workshop.images.delete(oldest);
      workshop.bytes -= heap.length + statics.length;
    }
    return image;
  }

  private failedLoad(error: EngineError, guest: QuickJsRun): EngineResult {
    const failure = guest.failure(error);
    return failure.outcome === 'exception' ? { ...failure, outcome: 'syntaxError' } : failure;
  }

  private discard(key: number): void {
    this.discarded += this.workshops.get(key)?.sandbox.memoryBytes ?? 0;
    this.workshops.delete(key);
  }

  /** Four words of randomness: the image holds the guest's generator, so each run gets a seed of its own. */
  private nextSeeds(): Uint32Array {
    if (this.seeds === this.random.length) {
      crypto.getRandomValues(this.random);
      this.seeds = 0;
    }
    this.seeds += 4;
    return this.random.subarray(this.seeds - 4, this.seeds);
  }
}

/** Creates the engine. `wasm` is the compiled QuickJS module. */
export function createQuickJsEngine(wasm: unknown): ScriptEngine {
  return new QuickJsEngine(wasm);
}

const NO_SCRIPT: CompiledScript = {
  engine: 'quickjs',
  hash: '',
  code: '',
  async: false,
  positions: { kind: 'insertions', insertions: [] },
};

interface KnownSettings extends Pick<EngineRun, 'methods' | 'pureMethods' | 'deferred'> {
  readonly text: string;
}

/** Runs alike come with the very same objects: their settings are written once. */
const knownSettings = new WeakMap<EngineRun['limits'], KnownSettings>();

function settingsOf(run: EngineRun): string {
  const { methods, pureMethods, deferred, limits } = run;
  const known = knownSettings.get(limits);
  if (known?.methods === methods && known.pureMethods === pureMethods && known.deferred === deferred) return known.text;
  const text = writeSettings(run);
  knownSettings.set(limits, { methods, pureMethods, deferred, text });
  return text;
}

function writeSettings(run: EngineRun): string {
  const pure = Object.fromEntries(run.pureMethods.map((method) => [method, true as const]));
  const settings: PreludeSettings = { methods: run.methods, pure, deferred: run.deferred, limits: { ...run.limits } };
  return JSON.stringify(settings);
}

/** One run: answers the guest's calls, and turns what the guest comes to into a result. */
class QuickJsRun implements GuestHost {
  private stopped = false;
  private interrupted = false;

  constructor(private readonly run: EngineRun) {}

  call(request: string): string | undefined {
    const reply = this.run.call(request);
    if (reply === undefined) this.stopped = true;
    return reply;
  }

  log(line: string): void {
    this.run.log(LEVELS[line.charAt(0)] ?? 'info', line.slice(1));
  }

  cpuMs(): number {
    return Math.floor(this.run.cpuMs());
  }

  shouldStop(): boolean {
    if (this.run.cpuMs() > this.run.limits.cpuMs) this.interrupted = true;
    return this.interrupted || this.stopped;
  }

  play(sandbox: QuickJsSandbox, seeds: ArrayLike<number>): EngineResult {
    let answer = sandbox.start(this.run.input, seeds, this);
    if (answer.ok && sandbox.pending) {
      const stuck = this.runJobs(sandbox);
      if (stuck) return stuck;
      answer = sandbox.finish(this);
    }
    return this.conclude(answer, sandbox.peakBytes > FULL * this.run.limits.memoryBytes);
  }

  private runJobs(sandbox: QuickJsSandbox): EngineResult | undefined {
    while (sandbox.pending) {
      const answer = sandbox.runJobs(JOBS, this);
      // an interrupt inside an async function becomes a rejection, which the guest could catch
      if (!answer.ok) return this.failure(answer.error);
      if (this.shouldStop()) return this.failure(STOPPED);
    }
    return undefined;
  }

  private conclude(answer: GuestAnswer, isFull: boolean): EngineResult {
    if (!answer.ok) return this.failure(answer.error);
    const { text } = answer;
    if (this.interrupted || this.stopped) return this.failure(STOPPED);
    if (text.startsWith('k')) return valueOf(text);
    if (text.startsWith('e')) return this.thrown(JSON.parse(text.slice(1)) as GuestError, isFull);
    if (text.startsWith('o')) return this.tooLarge(text.slice(1));
    // a job that could not even be queued
    if (isFull) return this.failure(OUT_OF_MEMORY);
    return { outcome: 'exception', error: { name: 'Error', message: NEVER } };
  }

  /** An error that went past the prelude: the engine's own. */
  failure(error: EngineError): EngineResult {
    return this.ended(this.outcomeOf(error), error);
  }

  private outcomeOf(error: EngineError): Outcome {
    if (this.stopped) return 'cancelled';
    if (this.interrupted) return 'exceededCpu';
    const starved = error.name === 'InternalError' && STARVED.includes(error.message);
    return starved || error.name === '' ? 'exceededMemory' : 'exception';
  }

  /** An error that the script did not catch: what it says of itself proves nothing. */
  private thrown(error: GuestError, isFull: boolean): EngineResult {
    const { name, message, code, stack = '', retryAfterMs } = error;
    if (error.isStarved || (error.isNull && isFull)) return this.ended('exceededMemory', { name, message, stack });
    const failure = this.ended('exception', { name, message, stack });
    return {
      ...failure,
      ...(code === undefined ? {} : { error: { name, message, ...failure.error, code } }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    };
  }

  private ended(outcome: Outcome, error: EngineError): EngineResult {
    const { limits, script } = this.run;
    return { outcome, error: rawError({ ...error, ...MESSAGES[outcome]?.(limits) }, script.async) };
  }

  private tooLarge(length: string): EngineResult {
    const message = `The script's value is ${length} characters of JSON; ${this.run.limits.resultBytes} bytes are allowed.`;
    return { outcome: 'exceededOutput', error: { name: 'RangeError', message } };
  }
}

/** How QuickJS says that memory is out; a string is "too long" from a gigabyte on, more than any limit. */
const STARVED = ['out of memory', 'string too long'];
const OUT_OF_MEMORY: EngineError = { name: 'InternalError', message: 'out of memory', stack: '' };
/** The part of its memory that a script held at its peak, where what it ends with may be for want of more. */
const FULL = 0.9;
const NEVER = 'The script waits for a promise that nothing can settle any more.';
const STOPPED: EngineError = { name: 'InternalError', message: 'interrupted', stack: '' };

const MESSAGES: Partial<Record<Outcome, (limits: Readonly<Limits>) => { name: string; message: string }>> = {
  exceededCpu: ({ cpuMs }) => ({ name: 'LimitError', message: `The script ran for more than ${cpuMs} ms.` }),
  exceededMemory: ({ memoryBytes }) => ({
    name: 'LimitError',
    message: `The script held more than ${memoryBytes} bytes of memory.`,
  }),
};

function rawError(error: EngineError, isAsync: boolean): RawError {
  const frames = framesOf(error.stack, isAsync);
  const top = frames[0];
  const { name, message } = error;
  if (!top) return { name, message };
  return { name, message, position: { line: top.line, column: top.column }, frames };
}

/** Reads `k<length>:<value><deferred>`. */
function valueOf(text: string): EngineResult {
  const colon = text.indexOf(':');
  const end = colon + 1 + Number(text.slice(1, colon));
  return {
    outcome: 'ok',
    ...(end > colon + 1 ? { value: text.slice(colon + 1, end) } : {}),
    ...(end < text.length ? { deferred: text.slice(end) } : {}),
  };
}
