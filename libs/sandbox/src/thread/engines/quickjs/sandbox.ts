import type { CompiledScript } from '../../../protocol/script.js';
import { PRELUDE } from '../../prelude/prelude.js';
import {
  findMaxFootprint,
  hashMemory,
  heapFootprint,
  type MemoryImage,
  type MemoryLayout,
  restoreImage,
  takeImage,
} from './memory-image.js';
import { PRELUDE_FILE, SCRIPT_FILE, wrapScript } from './stack-trace.js';
import { instantiate, type Pointer, type QuickJsInstance, type QuickJsModule, STACK_SIZE } from './wasm-module.js';

/** What the guest asks of the host while it runs. */
export interface GuestHost {
  call(request: string): string | undefined;
  log(line: string): void;
  cpuMs(): number;
  /** Polled by the engine every few thousand steps; true ends the guest, uncatchably. */
  shouldStop(): boolean;
}

/** What a call into the guest came to: text, or the error it threw. */
export type GuestAnswer =
  { readonly ok: true; readonly text: string } | { readonly ok: false; readonly error: EngineError };

/** An error that came out of the engine itself (not through the prelude): name, message and stack as far as known. */
export interface EngineError {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
}

/** A memory that grew beyond this is not kept: twice what it starts with. */
const KEPT_BYTES = 32 * 1024 * 1024;
const STACK_LIMIT = 256 * 1024;
/** What the engine needs of the memory for itself: the C stack, static data, the realm. */
const OVERHEAD = 6 * 1024 * 1024;
const HOST_FUNCTIONS = ['call', 'log', 'cpuMs'] as const;
const ALL_INTRINSICS = 0;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * One wasm instance with one QuickJS realm in it, and the image of its memory right after it was set up. Between two runs
 * the memory is written back, so nothing is ever freed or disposed of.
 *
 * After something was thrown through wasm, or the memory grew much, the sandbox is `spent`: the stack pointer, a wasm
 * global, may be off, and memory never shrinks.
 */
export class QuickJsSandbox {
  private readonly module: QuickJsModule;
  private readonly layout: MemoryLayout;
  private readonly undefinedValue: Pointer;
  private rt: Pointer = 0;
  private ctx: Pointer = 0;
  private readonly prelude: { install: Pointer; start: Pointer; finish: Pointer };
  private readonly base: MemoryImage;
  private host: GuestHost | undefined;
  private broken = false;
  /** A reply of the host did not fit into the guest's memory: the guest is stopped. */
  private starved = false;
  private dirtyStack = true;

  private constructor(
    private readonly instance: QuickJsInstance,
    memoryBytes: number,
  ) {
    this.module = instance.module;
    this.layout = this.findLayout();
    this.module.callbacks = {
      callFunction: (_unused, _ctx, _self, argc, argv, id) => this.callHost(argc, argv, id),
      shouldInterrupt: () => (this.starved || this.host === undefined || this.host.shouldStop() ? 1 : 0),
      freeHostRef: () => {},
    };
    this.undefinedValue = this.module._QTS_GetUndefined();
    this.prelude = this.boot(memoryBytes);
    this.base = this.takeImage();
  }

  /** A sandbox whose script can hold about `memoryBytes`. */
  static async create(wasm: unknown, memoryBytes: number): Promise<QuickJsSandbox> {
    return new QuickJsSandbox(await instantiate(wasm, memoryBytes + OVERHEAD), memoryBytes);
  }

  private get buffer(): ArrayBuffer {
    return this.instance.memory.buffer;
  }

  /** Whether this sandbox must be replaced by a new one before the next run. */
  get spent(): boolean {
    return this.broken || this.buffer.byteLength > KEPT_BYTES;
  }

  /** Bytes the wasm memory holds now. */
  get memoryBytes(): number {
    return this.buffer.byteLength;
  }

  /** The most bytes of heap since the last restore. */
  get peakBytes(): number {
    return heapFootprint(this.buffer, this.layout) ?? this.buffer.byteLength;
  }

  /** Makes the memory what it was right after the sandbox was set up, or right after the script was loaded. */
  restore(image: MemoryImage = this.base): void {
    restoreImage(this.buffer, image, this.layout, this.dirtyStack);
    this.dirtyStack = false;
  }

  /** The hash of all of the memory. */
  hash(): string {
    return hashMemory(this.buffer);
  }

  /** Compiles a script and takes the image from which its runs start. The host's `shouldStop` bounds the time. */
  loadScript(script: CompiledScript, settings: string, host: GuestHost): MemoryImage | EngineError {
    this.restore();
    const loaded = this.guard(host, () => {
      const body = this.evaluate(wrapScript(script.code, script.async), SCRIPT_FILE);
      return this.invoke(this.prelude.install, [this.newString(settings), body]);
    });
    if (!loaded.ok) return loaded.error;
    return this.takeImage();
  }

  /** Starts the script of the image that the memory was restored to. */
  start(input: string, seeds: ArrayLike<number>, host: GuestHost): GuestAnswer {
    return this.guard(host, () => {
      const args = [this.newString(input)];
      for (let i = 0; i < 4; i++) args.push(this.module._QTS_NewFloat64(this.ctx, seeds[i] as number));
      return this.invoke(this.prelude.start, args);
    });
  }

  /** Whether promise jobs are waiting. */
  get pending(): boolean {
    return !this.broken && this.module._QTS_IsJobPending(this.rt) !== 0;
  }

  /** Runs at most `max` promise jobs. An error is the engine's own: stopped, or out of memory. */
  runJobs(max: number, host: GuestHost): GuestAnswer {
    return this.guard(host, () => {
      const context = this.module._malloc(4);
      const value = this.module._QTS_ExecutePendingJob(this.rt, max, context);
      this.module._free(context);
      return this.checked(value);
    });
  }

  /** How the script stands; see the prelude. */
  finish(host: GuestHost): GuestAnswer {
    return this.guard(host, () => this.invoke(this.prelude.finish, []));
  }

  private takeImage(): MemoryImage {
    new Uint8Array(this.buffer).fill(0, this.layout.stackLow, this.layout.stackHigh);
    return takeImage(this.buffer, this.layout);
  }

  private guard(host: GuestHost, call: () => Pointer): GuestAnswer {
    this.host = host;
    try {
      return { ok: true, text: this.textOf(call()) };
    } catch (error) {
      this.dirtyStack = true;
      if (error instanceof GuestThrow) return { ok: false, error: this.starved ? OUT_OF_MEMORY : error.error };
      // thrown through wasm: a RangeError of the host's stack, an abort of the C runtime, a trap
      this.broken = true;
      return { ok: false, error: hostError(error) };
    } finally {
      this.host = undefined;
      this.starved = false;
    }
  }

  private findLayout(): MemoryLayout {
    const { stackHigh } = this.instance;
    const stackLow = stackHigh - STACK_SIZE;
    const pristine = this.buffer.slice(0);
    const maxFootprint = findMaxFootprint(this.buffer, (bytes) => this.module._malloc(bytes), stackLow);
    new Uint8Array(this.buffer).set(new Uint8Array(pristine));
    return { stackLow, stackHigh, maxFootprint };
  }

  private boot(memoryBytes: number): { install: Pointer; start: Pointer; finish: Pointer } {
    this.rt = this.module._QTS_NewRuntime();
    this.module._QTS_RuntimeSetMaxStackSize(this.rt, STACK_LIMIT);
    this.ctx = this.module._QTS_NewContext(this.rt, ALL_INTRINSICS);
    const functions = HOST_FUNCTIONS.map((name, id) =>
      this.module._QTS_NewFunction(this.ctx, this.newText(name), 1, 0, id),
    );
    const machinery = this.invoke(this.evaluate(PRELUDE, PRELUDE_FILE), functions);
    const prelude = {
      install: this.property(machinery, 'install'),
      start: this.property(machinery, 'start'),
      finish: this.property(machinery, 'finish'),
    };
    this.module._QTS_RuntimeSetMemoryLimit(this.rt, memoryBytes + this.peakBytes);
    this.module._QTS_RuntimeEnableInterruptHandler(this.rt);
    return prelude;
  }

  private callHost(argc: number, argv: Pointer, id: number): Pointer {
    const { host } = this;
    if (!host) return 0;
    const argument = argc > 0 ? this.module._QTS_ArgvGetJSValueConstPointer(argv, 0) : this.undefinedValue;
    if (id === 2) return this.module._QTS_NewFloat64(this.ctx, host.cpuMs());
    if (id === 1) {
      host.log(this.textOf(argument));
      return 0;
    }
    const reply = host.call(this.textOf(argument));
    return reply === undefined ? 0 : this.handOver(reply);
  }

  /** A string for the guest; nothing may be thrown here, it would go through wasm. */
  private handOver(text: string): Pointer {
    try {
      return this.newString(text);
    } catch {
      this.starved = true;
      return 0;
    }
  }

  private evaluate(code: string, file: string): Pointer {
    const bytes = encoder.encode(code);
    const text = this.newBytes(bytes);
    const name = this.newText(file);
    const value = this.module._QTS_Eval(this.ctx, text, bytes.length, name, 0, 0);
    this.module._free(text);
    this.module._free(name);
    return this.checked(value);
  }

  private invoke(fn: Pointer, args: readonly Pointer[]): Pointer {
    const argv = this.module._malloc(Math.max(args.length, 1) * 4);
    new Uint32Array(this.buffer, argv, args.length).set(args);
    const value = this.module._QTS_Call(this.ctx, fn, this.undefinedValue, args.length, argv);
    this.module._free(argv);
    return this.checked(value);
  }

  /** The value, unless it is an exception: then that error is thrown on our side of the wasm. */
  private checked(value: Pointer): Pointer {
    const error = this.module._QTS_ResolveException(this.ctx, value);
    if (error !== 0) throw new GuestThrow(this.describe(error));
    return value;
  }

  private describe(error: Pointer): EngineError {
    const text = (key: string) => {
      const value = this.property(error, key);
      return this.module._QTS_ResolveException(this.ctx, value) === 0 ? this.textOf(value) : '';
    };
    return { name: text('name'), message: text('message'), stack: text('stack') };
  }

  private property(object: Pointer, key: string): Pointer {
    return this.module._QTS_GetProp(this.ctx, object, this.newString(key));
  }

  private newText(text: string): Pointer {
    return this.newBytes(encoder.encode(text));
  }

  /** Bytes and a NUL after them, in the guest's heap. */
  private newBytes(bytes: Uint8Array): Pointer {
    const at = this.module._malloc(bytes.length + 1);
    if (at === 0) throw new GuestThrow(OUT_OF_MEMORY);
    const memory = this.module.HEAPU8;
    memory.set(bytes, at);
    memory[at + bytes.length] = 0;
    return at;
  }

  private newString(text: string): Pointer {
    const room = this.module._malloc(text.length * 3 + 1);
    if (room === 0) throw new GuestThrow(OUT_OF_MEMORY);
    const memory = this.module.HEAPU8;
    const { written } = encoder.encodeInto(text, memory.subarray(room, room + text.length * 3));
    memory[room + written] = 0;
    const value = this.module._QTS_NewString(this.ctx, room);
    this.module._free(room);
    return value;
  }

  private textOf(value: Pointer): string {
    const at = this.module._QTS_GetString(this.ctx, value);
    if (at === 0) return '';
    const memory = this.module.HEAPU8;
    const text = decoder.decode(memory.subarray(at, memory.indexOf(0, at)));
    this.module._QTS_FreeCString(this.ctx, at);
    return text;
  }
}

const OUT_OF_MEMORY: EngineError = { name: 'InternalError', message: 'out of memory', stack: '' };

/** Carries a guest's error from where it was found to `guard`; never crosses wasm frames. */
class GuestThrow extends Error {
  constructor(readonly error: EngineError) {
    super(error.message);
  }
}

/** What was thrown through wasm, in the guest's terms: too deep a recursion of native code, else a lack of memory. */
function hostError(error: unknown): EngineError {
  return error instanceof RangeError ? { ...OUT_OF_MEMORY, message: 'stack overflow' } : OUT_OF_MEMORY;
}
