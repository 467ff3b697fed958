import type { ScriptError } from '../../protocol/run.js';
import type { CompiledScript, EngineId, Language } from '../../protocol/script.js';

/** A source to compile. */
export interface CompileRequest {
  readonly source: string;
  readonly language: Language;
  readonly engine: EngineId;
}

/** The compiled script, or the syntax error with its place and frame. */
export type CompileResult =
  { readonly ok: true; readonly script: CompiledScript } | { readonly ok: false; readonly error: ScriptError };

/**
 * Turns a source into what an engine runs. Untrusted text goes in: the work is done in a thread with a deadline, so a
 * parser bomb costs its author a `SyntaxError` and nobody else anything. Results are cached by hash.
 */
export interface ScriptCompiler {
  /** Never rejects for anything the source contains. */
  compile(request: CompileRequest): Promise<CompileResult>;
  close(): Promise<void>;
}

/** Injection token of the `ScriptCompiler`. */
export const SCRIPT_COMPILER = Symbol.for('nestjs-sandbox:script-compiler');
