import { caught, type FrameCode, machine, throwError } from '../machine.js';
import { type Node, parseProgram } from '../syntax.js';
import type { Obj, Value } from '../values.js';
import { compileProgram, hiddenCode, type ProgramCode } from './compile.js';
import { Closure, CODE_BYTES, flow } from './functions.js';
import { Env, isStrict, Scope } from './scope.js';

const CODE: FrameCode = hiddenCode('eval');
/** Parsing cannot be interrupted: 1 MB takes some 50 ms. */
const MAX_SOURCE = 1 << 20;

/** Parses text that a script made at run time. @throws the guest's SyntaxError. */
export function parseGuest<T>(text: string, parse: (text: string) => T): T {
  if (text.length > MAX_SOURCE) return throwError('SyntaxError', 'The code is too long');
  machine.spend(text.length);
  machine.charge(text.length * CODE_BYTES);
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return throwError('SyntaxError', error.message.replace(/ \(\d+:\d+\)$/, ''));
    throw caught(error);
  }
}

/** `eval(text)` that sees the variables around it. */
export function directEval(text: Value, around: Scope, env: Env): Value {
  if (typeof text !== 'string') return text;
  const program = parseGuest(text, parseProgram);
  if (around.strict || isStrict(program.body)) return runStrict(program, text, around, env);
  const scope = new Scope(around, 'block', true, false, CODE);
  const inner = new Env([], env);
  // What the code declares belongs to the function around, where a later lookup finds it.
  const holder = functionEnv(around, env);
  return run(program, text, scope, inner, (name, value) => {
    if (holder) declareIn(holder.scope, holder.env, name, value);
    else declareGlobal(name, value);
  });
}

/** `(0, eval)(text)`: in the global scope. */
export function indirectEval(text: Value): Value {
  if (typeof text !== 'string') return text;
  const program = parseGuest(text, parseProgram);
  const strict = isStrict(program.body);
  const root = globalScope(strict);
  const env = new Env([machine.intrinsics.global], null);
  if (strict) return runStrict(program, text, root, env);
  return run(program, text, root, env, declareGlobal);
}

/** The scope of code outside of every function: it knows `this`, everything else is on the global object. */
export function globalScope(strict: boolean): Scope {
  const scope = new Scope(null, 'function', false, strict, CODE);
  scope.declare('this');
  return scope;
}

function runStrict(program: Node, text: string, around: Scope, env: Env): Value {
  const scope = new Scope(around, 'block', true, true, CODE);
  const inner = new Env([], env);
  inner.dynamic = new Map();
  return run(program, text, scope, inner, (name, value) => {
    if (value !== undefined || !inner.dynamic!.has(name)) inner.dynamic!.set(name, value);
  });
}

function run(
  program: Node,
  text: string,
  scope: Scope,
  env: Env,
  declare: (name: string, value: Value) => void,
): Value {
  const code: ProgramCode = compileProgram(program, scope, { text, lines: undefined });
  machine.enter(CODE);
  for (const name of code.names) declare(name, undefined);
  for (const { name, code: body } of code.functions) declare(name, new Closure(body, env));
  const before = flow.completion;
  flow.completion = undefined;
  code.body(env);
  const { completion } = flow;
  flow.completion = before;
  machine.leave();
  return completion;
}

function functionEnv(scope: Scope, env: Env): { scope: Scope; env: Env } | undefined {
  let at: Env = env;
  for (let found: Scope | null = scope; found; found = found.parent) {
    if (found.kind === 'function') return found.parent || found.dynamic ? { scope: found, env: at } : undefined;
    at = at.parent!;
  }
  return undefined;
}

function declareIn(scope: Scope, env: Env, name: string, value: Value): void {
  const slot = scope.names.get(name);
  if (slot !== undefined) {
    if (value !== undefined) env.slots[slot] = value;
    return;
  }
  env.dynamic ??= new Map();
  if (value !== undefined || !env.dynamic.has(name)) env.dynamic.set(name, value);
}

function declareGlobal(name: string, value: Value): void {
  const global: Obj = machine.intrinsics.global;
  if (value === undefined && global.getOwn(name)) return;
  global.define(name, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}
