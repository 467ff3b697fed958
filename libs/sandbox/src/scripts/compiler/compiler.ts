import { createHash } from 'node:crypto';
import type { CompiledScript } from '../../protocol/script.js';
import { WeightedLru } from '../weighted-lru.js';
import { COMPILER_VERSION } from './compile-script.js';
import { CompilerThread } from './compiler-thread.js';
import type { CompileRequest, CompileResult, ScriptCompiler } from './script-compiler.js';

/** Options of `createScriptCompiler`. */
export interface ScriptCompilerOptions {
  /** Milliseconds one source may take. Default 5,000. */
  readonly timeoutMs?: number;
  /** How many results are kept, the least recently used dropped first. Default 1,000. */
  readonly cacheSize?: number;
}

/**
 * A compiler with a thread of its own, started with the first source. Equal requests at the same time are compiled once.
 * @throws CompilerUnavailableError (from `compile`) where the thread cannot start.
 * @throws CompilerClosedError (from `compile`) after `close`.
 */
export function createScriptCompiler(options: ScriptCompilerOptions = {}): ScriptCompiler {
  return new CachingCompiler(new CompilerThread(options.timeoutMs ?? 5_000), options.cacheSize ?? 1_000);
}

/** SHA-256 (hex) over all that a compiled script depends on. */
export function scriptHash({ engine, language, source }: CompileRequest): string {
  return createHash('sha256')
    .update(JSON.stringify([COMPILER_VERSION, engine, language, source]))
    .digest('hex');
}

/** Bytes of compiled scripts kept: 100 KiB of the worst source make 7 MB of positions. */
const KEPT_BYTES = 64 * 1024 * 1024;

interface Kept {
  /** Bytes; 0 while it is being compiled. */
  readonly weight: number;
  readonly result: Promise<CompileResult>;
}

class CachingCompiler implements ScriptCompiler {
  private readonly cache: WeightedLru<string, Kept>;

  constructor(
    private readonly thread: CompilerThread,
    cacheSize: number,
  ) {
    this.cache = new WeightedLru(KEPT_BYTES, cacheSize);
  }

  compile(request: CompileRequest): Promise<CompileResult> {
    const hash = scriptHash(request);
    const known = this.cache.get(hash);
    if (known) return known.result;
    const result = this.compileNew(request, hash);
    this.cache.set(hash, { weight: 0, result });
    return result;
  }

  async close(): Promise<void> {
    await this.thread.close();
  }

  private async compileNew(request: CompileRequest, hash: string): Promise<CompileResult> {
    try {
      const { result, retry } = await this.thread.compile(request);
      if (retry) this.cache.delete(hash);
      if (!result.ok) return result;
      const script = { ...result.script, hash };
      this.weigh(hash, script);
      return { ok: true, script };
    } catch (error) {
      this.cache.delete(hash);
      throw error;
    }
  }

  private weigh(hash: string, script: CompiledScript): void {
    const kept = this.cache.get(hash);
    if (kept) this.cache.set(hash, { ...kept, weight: weightOf(script) });
  }
}

/** Roughly the bytes a compiled script holds: text, and an array of two numbers for each insertion. */
function weightOf({ code, positions }: CompiledScript): number {
  return (
    2 * code.length + (positions.kind === 'insertions' ? 100 * positions.insertions.length : positions.mappings.length)
  );
}
