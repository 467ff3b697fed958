import { createHash } from 'node:crypto';
import type { CompiledScript } from '../../protocol/script.js';
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

class CachingCompiler implements ScriptCompiler {
  private readonly cache = new Map<string, Promise<CompileResult>>();
  private readonly weights = new Map<string, number>();
  private weight = 0;

  constructor(
    private readonly thread: CompilerThread,
    private readonly cacheSize: number,
  ) {}

  compile(request: CompileRequest): Promise<CompileResult> {
    const hash = scriptHash(request);
    const known = this.cache.get(hash);
    this.cache.delete(hash);
    const result = known ?? this.compileNew(request, hash);
    this.cache.set(hash, result);
    this.shrink();
    return result;
  }

  async close(): Promise<void> {
    await this.thread.close();
  }

  private async compileNew(request: CompileRequest, hash: string): Promise<CompileResult> {
    try {
      const { result, retry } = await this.thread.compile(request);
      if (retry) this.forget(hash);
      if (!result.ok) return result;
      const script = { ...result.script, hash };
      this.weigh(hash, script);
      return { ok: true, script };
    } catch (error) {
      this.forget(hash);
      throw error;
    }
  }

  private weigh(hash: string, script: CompiledScript): void {
    if (!this.cache.has(hash)) return;
    const weight = weightOf(script);
    this.weights.set(hash, weight);
    this.weight += weight;
    this.shrink();
  }

  private forget(hash: string): void {
    this.cache.delete(hash);
    this.weight -= this.weights.get(hash) ?? 0;
    this.weights.delete(hash);
  }

  /** Drops what was used longest ago; the newest stays. */
  private shrink(): void {
    for (const oldest of this.cache.keys()) {
      if (this.cache.size === 1 || (this.cache.size <= this.cacheSize && this.weight <= KEPT_BYTES)) return;
      this.forget(oldest);
    }
  }
}

/** Roughly the bytes a compiled script holds: text, and an array of two numbers for each insertion. */
function weightOf({ code, positions }: CompiledScript): number {
  return (
    2 * code.length + (positions.kind === 'insertions' ? 100 * positions.insertions.length : positions.mappings.length)
  );
}
