import type { RawError } from '../../../protocol/raw-error.js';
import type { CompiledScript } from '../../../protocol/script.js';
import type { EngineResult, EngineRun, ScriptEngine } from '../../engine.js';
import { compileFunction } from './evaluator/compile.js';
import { Closure, type FunctionCode } from './evaluator/functions.js';
import { Env } from './evaluator/scope.js';
import { ScriptCall } from './guest/script-call.js';
import { lineStarts } from './machine.js';
import { Realm } from './realm.js';
import { parseFunction } from './syntax.js';

/** Compiled scripts a thread keeps. */
const SCRIPTS = 256;
const PREFIX = 'function () {';

/**
 * The engine in pure JavaScript: js-interpreter's parser and ES5 syntax tree; the tree is compiled to closures instead of
 * being stepped through, and the library is ours. It looks at the clock every thousand steps and asks for every byte.
 */
class JsInterpreterEngine implements ScriptEngine {
  readonly id = 'js-interpreter';
  private readonly realm = new Realm();
  private readonly scripts = new Map<string, FunctionCode | RawError>();

  load(script: CompiledScript): void {
    const known = this.scripts.get(script.hash);
    if (known) this.scripts.delete(script.hash);
    this.scripts.set(script.hash, known ?? this.compile(script.code));
    if (this.scripts.size > SCRIPTS) this.scripts.delete(this.scripts.keys().next().value!);
  }

  forget(hash: string): void {
    this.scripts.delete(hash);
  }

  run(run: EngineRun): EngineResult {
    const code = this.scripts.get(run.script.hash) ?? this.compile(run.script.code);
    if ('message' in code) return { outcome: 'syntaxError', error: code };
    this.realm.enter();
    try {
      return new ScriptCall(run).play(new Closure(code, new Env([], null)));
    } finally {
      this.realm.leave();
    }
  }

  private compile(code: string): FunctionCode | RawError {
    const text = `${PREFIX}${code}\n}`;
    const starts = lineStarts(`(${text}`);
    starts[0] = PREFIX.length + 1;
    try {
      this.realm.enter();
      return compileFunction(parseFunction(text), null, { text: `(${text})`, lines: starts });
    } catch (error) {
      return syntaxFault(error, starts[0]);
    }
  }
}

/** The parser counts from the wrapper's start. */
function syntaxFault(error: unknown, prefix: number): RawError {
  if (error instanceof RangeError) return { name: 'SyntaxError', message: 'The source is nested too deeply.' };
  if (!(error instanceof SyntaxError)) throw error;
  const { loc } = error as { loc?: { line: number; column: number } };
  const message = error.message.replace(/ \(\d+:\d+\)$/, '');
  if (!loc) return { name: 'SyntaxError', message };
  const column = loc.column + 1 - (loc.line === 1 ? prefix : 0);
  return { name: 'SyntaxError', message, position: { line: loc.line, column: Math.max(1, column) } };
}

/** Creates the engine. */
export function createJsInterpreterEngine(): ScriptEngine {
  return new JsInterpreterEngine();
}
