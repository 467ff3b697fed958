import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { ThreadEntryMissingError } from '../../errors/pool.errors.js';

interface WasmApi {
  readonly Module: new (bytes: Uint8Array) => object;
}

let compiled: object | undefined;

/** The compiled QuickJS module, compiled once a process and handed to every thread. */
export function quickJsModule(): object {
  const { WebAssembly: wasm } = globalThis as unknown as { WebAssembly: WasmApi };
  const require = createRequire(import.meta.url);
  compiled ??= new wasm.Module(readFileSync(require.resolve('@jitl/quickjs-wasmfile-release-sync/wasm')));
  return compiled;
}

/**
 * A file of the built library: `path` beside this one (`../../thread/thread.main.js`), or, when this file is run from its
 * TypeScript source, the same file of `dist/esm`. Threads and child processes need real JavaScript.
 * @throws ThreadEntryMissingError
 */
export function builtFile(path: string): URL {
  const beside = new URL(path, import.meta.url);
  if (existsSync(fileURLToPath(beside))) return beside;
  const built = new URL(`../../../dist/esm/processor/pool/${path}`, import.meta.url);
  if (existsSync(fileURLToPath(built))) return built;
  throw new ThreadEntryMissingError([fileURLToPath(beside), fileURLToPath(built)]);
}

/** The file that a thread of the pool runs. */
export function threadEntry(): URL {
  return builtFile('../../thread/thread.main.js');
}
