import * as ts from 'typescript';
import type { CompiledScript } from '../../protocol/script.js';
import { bindArrowArguments } from './arrow-arguments.js';
import { checkScript } from './checks.js';
import { returnCompletionValue } from './completion.js';
import { Edits } from './edits.js';
import { lowerToEs5 } from './lower-es5.js';
import { parseScript } from './parse.js';
import type { CompileRequest, CompileResult } from './script-compiler.js';
import { plainNames } from './plain-names.js';
import { refuseTypes, stripTypes } from './strip-types.js';
import { SyntaxProblem } from './syntax-problem.js';

/** Raised whenever the same source compiles to something else than before: cached and stored results become stale. */
export const COMPILER_VERSION = 2;

/** What the compiler's thread returns: a `CompileResult` without the hash, which the caller has already. */
export type CompiledSource =
  { readonly ok: true; readonly script: Omit<CompiledScript, 'hash'> } | Extract<CompileResult, { ok: false }>;

/**
 * Compiles a source in the calling thread. Untrusted text may keep it busy for long: `createScriptCompiler` is what
 * gives it a thread and a deadline. Never throws for anything the source contains.
 */
export function compileSource(request: CompileRequest): CompiledSource {
  try {
    return { ok: true, script: compileOrThrow(request) };
  } catch (error) {
    return { ok: false, error: asProblem(error).explain(request.source) };
  }
}

function compileOrThrow({ source, language, engine }: CompileRequest): Omit<CompiledScript, 'hash'> {
  const { file, async } = parseScript(source, language, engine);
  checkScript(file, engine);
  const edits = new Edits(source);
  const closed = returnCompletionValue(file, edits);
  if (language === 'typescript') stripTypes(file, edits, closed);
  else refuseTypes(file);
  // A hashbang is legal at the start of a program, not at the start of a function: `#!` becomes `//`.
  if (source.startsWith('#!')) ['/', '/'].forEach((slash, at) => edits.put(at, slash));
  if (engine === 'js-interpreter') {
    plainNames(file, edits);
    bindArrowArguments(file, edits);
  }
  const { text, insertions } = edits.apply();
  if (language === 'typescript') checkStripped(text, async);
  if (engine === 'quickjs') return { engine, code: text, async, positions: { kind: 'insertions', insertions } };
  const { code, mappings } = lowerToEs5(text, insertions, source, async);
  return { engine, code, async, positions: { kind: 'source-map', mappings } };
}

/** The parser's own stack is the only thing a nested source exhausts; everything else that is thrown is a fault of ours. */
function asProblem(error: unknown): SyntaxProblem {
  if (error instanceof SyntaxProblem) return error;
  if (error instanceof RangeError) return new SyntaxProblem('The source is nested too deeply.', 0);
  throw error;
}

/** What is left of a TypeScript source must be JavaScript, and still one function. */
function checkStripped(body: string, async: boolean): void {
  const file = ts.createSourceFile(
    'script.js',
    `(${async ? 'async ' : ''}function(){${body}\n})`,
    { languageVersion: ts.ScriptTarget.Latest, jsDocParsingMode: ts.JSDocParsingMode.ParseNone },
    false,
    ts.ScriptKind.JS,
  );
  const [fault] = (file as unknown as { parseDiagnostics: ts.Diagnostic[] }).parseDiagnostics;
  if (fault || file.statements.length !== 1)
    throw new SyntaxProblem('The types of this source cannot be removed: write it with fewer line breaks in types.', 0);
}
