import variant from '@jitl/quickjs-wasmfile-release-sync';

/** A WebAssembly memory, as far as this engine uses one. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

interface WasmApi {
  readonly Memory: new (descriptor: { initial: number; maximum: number }) => WasmMemory;
  readonly Instance: new (module: unknown, imports: object) => { readonly exports: object };
}

const { WebAssembly: wasmApi } = globalThis as unknown as { WebAssembly: WasmApi };

/** The package's types describe its CommonJS build. */
const loader = variant as unknown as { importModuleLoader(): Promise<(options: object) => Promise<QuickJsModule>> };

/** An address inside the wasm memory. */
export type Pointer = number;

/** The calls of a guest that the host answers; set on the module. */
interface ModuleCallbacks {
  callFunction(unused: unknown, ctx: Pointer, self: Pointer, argc: number, argv: Pointer, id: number): Pointer;
  shouldInterrupt(): 0 | 1;
  freeHostRef(): void;
}

/** What this engine uses of the emscripten module of quickjs-emscripten 0.32 (its C functions, under their own names). */
export interface QuickJsModule {
  callbacks: ModuleCallbacks;
  readonly HEAPU8: Uint8Array;
  _malloc(size: number): Pointer;
  _free(pointer: Pointer): void;
  _QTS_NewRuntime(): Pointer;
  _QTS_RuntimeSetMemoryLimit(rt: Pointer, bytes: number): void;
  _QTS_RuntimeSetMaxStackSize(rt: Pointer, bytes: number): void;
  _QTS_RuntimeEnableInterruptHandler(rt: Pointer): void;
  _QTS_NewContext(rt: Pointer, intrinsics: number): Pointer;
  _QTS_GetUndefined(): Pointer;
  _QTS_NewFloat64(ctx: Pointer, value: number): Pointer;
  _QTS_GetFloat64(ctx: Pointer, value: Pointer): number;
  _QTS_NewString(ctx: Pointer, text: Pointer): Pointer;
  _QTS_GetString(ctx: Pointer, value: Pointer): Pointer;
  _QTS_FreeCString(ctx: Pointer, text: Pointer): void;
  _QTS_NewFunction(ctx: Pointer, name: Pointer, argc: number, constructor: number, id: number): Pointer;
  _QTS_ArgvGetJSValueConstPointer(argv: Pointer, index: number): Pointer;
  _QTS_GetProp(ctx: Pointer, self: Pointer, name: Pointer): Pointer;
  _QTS_Call(ctx: Pointer, fn: Pointer, self: Pointer, argc: number, argv: Pointer): Pointer;
  _QTS_Eval(ctx: Pointer, code: Pointer, length: number, file: Pointer, detectModule: number, flags: number): Pointer;
  _QTS_ResolveException(ctx: Pointer, value: Pointer): Pointer;
  _QTS_Typeof(ctx: Pointer, value: Pointer): Pointer;
  _QTS_IsJobPending(rt: Pointer): number;
  _QTS_ExecutePendingJob(rt: Pointer, max: number, lastContext: Pointer): Pointer;
}

/** A wasm instance with a memory of its own. */
export interface QuickJsInstance {
  readonly module: QuickJsModule;
  readonly memory: WasmMemory;
  /** Address of the top of the C stack, right after start: where the heap begins. */
  readonly stackHigh: Pointer;
}

/** The prebuilt module's C stack, in bytes (emscripten's `STACK_SIZE`). */
export const STACK_SIZE = 5 * 1024 * 1024;

const PAGE = 65536;
/** The prebuilt module asks for a memory of at least 256 pages. */
const INITIAL_PAGES = 256;
const silent = (): void => {};

/**
 * A new instance whose memory can never hold more than `maximumBytes`. This is the hard cap: `JS_SetMemoryLimit` does not
 * bound typed arrays, and overshoots on strings (quickjs-emscripten#255).
 */
export async function instantiate(wasm: unknown, maximumBytes: number): Promise<QuickJsInstance> {
  const maximum = Math.max(INITIAL_PAGES, Math.ceil(maximumBytes / PAGE));
  const memory = new wasmApi.Memory({ initial: INITIAL_PAGES, maximum });
  const load = await loader.importModuleLoader();
  let exports: Record<string, unknown> = {};
  const module = await load({
    wasmMemory: memory,
    print: silent,
    printErr: silent,
    instantiateWasm: (imports: object, done: (instance: object) => void) => {
      const instance = new wasmApi.Instance(wasm, imports);
      exports = instance.exports as Record<string, unknown>;
      done(instance);
    },
  });
  return { module, memory, stackHigh: stackTop(exports) };
}

/** `emscripten_stack_get_current`, which the build of 0.32.0 (pinned exactly) exports under a minified name. */
function stackTop(exports: Record<string, unknown>): Pointer {
  const current = exports['Oa'];
  const top: unknown = typeof current === 'function' ? (current as () => unknown)() : undefined;
  if (typeof top !== 'number' || top <= STACK_SIZE || top % 16 !== 0) throw new UnknownWasmBuildError();
  return top;
}

/** Our own fault: the QuickJS build is another one than the memory images were made for. */
class UnknownWasmBuildError extends Error {
  constructor() {
    super(
      'This build of QuickJS is not the one of @jitl/quickjs-wasmfile-release-sync 0.32.0: its stack was not found.',
    );
  }
}
