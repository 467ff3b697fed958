import { createHash } from 'node:crypto';
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

class CachingCompiler implements ScriptCompiler {
  private readonly cache = new Map<string, Promise<CompileResult>>();

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
    if (this.cache.size > this.cacheSize) this.cache.delete(this.cache.keys().next().value!);
    return result;
  }

  async close(): Promise<void> {
    await this.thread.close();
  }

  private async compileNew(request: CompileRequest, hash: string): Promise<CompileResult> {
    try {
      const { result, retry } = await this.thread.compile(request);
      if (retry) this.cache.delete(hash);
      return result.ok ? { ok: true, script: { ...result.script, hash } } : result;
    } catch (error) {
      this.cache.delete(hash);
      throw error;
    }
  }
}
