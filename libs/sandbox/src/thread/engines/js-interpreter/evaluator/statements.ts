import { toObject } from '../convert.js';
import { caught, GuestThrow, machine } from '../machine.js';
import type { Node } from '../syntax.js';
import { ENUMERABLE, type Key, Obj, type Value } from '../values.js';
import { compileAssign } from './assignments.js';
import { compileExpression, compileNamed } from './expressions.js';
import { type Exec, flow, Signal } from './functions.js';
import { type Assign, type Evaluate, writeVariable } from './references.js';
import { Env, resolve, Scope } from './scope.js';

/** How a statement is compiled: `labels` are those that stand directly before it. */
interface Context {
  readonly scope: Scope;
  /** Whether completion values are kept (the code of an `eval`). */
  readonly completion: boolean;
}
type Compile = (node: Node, context: Context, labels: readonly string[]) => Exec;

/** Turns statements into one closure. */
export function compileStatements(nodes: readonly Node[], context: Context): Exec {
  const statements = nodes
    .filter(({ type }) => type !== 'FunctionDeclaration' && type !== 'EmptyStatement')
    .map((node) => compileStatement(node, context, []));
  const [first, second] = statements;
  if (!first) return () => Signal.Normal;
  if (!second) return first;
  return (env) => {
    for (const statement of statements) {
      const signal = statement(env);
      if (signal !== Signal.Normal) return signal;
    }
    return Signal.Normal;
  };
}

function compileStatement(node: Node, context: Context, labels: readonly string[]): Exec {
  return COMPILERS[node.type]!(node, context, labels);
}

const normal: Exec = () => Signal.Normal;

const COMPILERS: Readonly<Record<string, Compile>> = {
  ExpressionStatement: expressionStatement,
  VariableDeclaration: variableDeclaration,
  FunctionDeclaration: () => normal,
  EmptyStatement: () => normal,
  DebuggerStatement: () => normal,
  BlockStatement: (node, context) => compileStatements(node.body, context),
  IfStatement: ifStatement,
  ReturnStatement: returnStatement,
  ThrowStatement: throwStatement,
  ForStatement: forStatement,
  ForInStatement: forInStatement,
  WhileStatement: whileStatement,
  DoWhileStatement: doWhileStatement,
  BreakStatement: (node) => jump(Signal.Break, node.label?.name),
  ContinueStatement: (node) => jump(Signal.Continue, node.label?.name),
  SwitchStatement: switchStatement,
  TryStatement: tryStatement,
  LabeledStatement: labeledStatement,
  WithStatement: withStatement,
};

function expressionStatement(node: Node, { scope, completion }: Context): Exec {
  const expression = compileExpression(node.expression, scope);
  if (completion)
    return (env) => {
      flow.completion = expression(env);
      return Signal.Normal;
    };
  return (env) => {
    expression(env);
    return Signal.Normal;
  };
}

function variableDeclaration(node: Node, { scope }: Context): Exec {
  const parts = node.declarations
    .filter(({ init }) => init)
    .map(({ id, init }) => ({
      write: writeVariable(id!.name, resolve(id!.name, scope), id!.start, scope),
      value: compileNamed(init!, scope, id!.name),
    }));
  const [only] = parts;
  if (parts.length === 1)
    return (env) => {
      only!.write(env, only!.value(env));
      return Signal.Normal;
    };
  return (env) => {
    for (const { write, value } of parts) write(env, value(env));
    return Signal.Normal;
  };
}

function ifStatement(node: Node, context: Context): Exec {
  const test = compileExpression(node.test!, context.scope);
  const consequent = compileStatement(node.consequent, context, []);
  const alternate = node.alternate ? compileStatement(node.alternate, context, []) : normal;
  return (env) => (test(env) ? consequent(env) : alternate(env));
}

function returnStatement(node: Node, { scope }: Context): Exec {
  const argument = node.argument ? compileExpression(node.argument, scope) : () => undefined;
  return (env) => {
    flow.value = argument(env);
    return Signal.Return;
  };
}

function throwStatement(node: Node, { scope }: Context): Exec {
  const argument = compileExpression(node.argument!, scope);
  return (env) => {
    const value = argument(env);
    machine.frame!.position = node.start;
    throw new GuestThrow(value);
  };
}

function jump(signal: Signal, label: string | undefined): Exec {
  return () => {
    flow.label = label;
    return signal;
  };
}

/** What a loop does with its body's signal: go on (`undefined`), or end with a signal of its own. */
function afterBody(signal: Signal, labels: readonly string[]): Signal | undefined {
  if (signal === Signal.Normal) return undefined;
  if (signal === Signal.Return) return signal;
  const mine = flow.label === undefined || labels.includes(flow.label);
  if (!mine) return signal;
  return signal === Signal.Continue ? undefined : Signal.Normal;
}

function forStatement(node: Node, context: Context, labels: readonly string[]): Exec {
  const init = forInit(node.init, context);
  const test: Evaluate = node.test ? compileExpression(node.test, context.scope) : () => true;
  const update: Evaluate = node.update ? compileExpression(node.update, context.scope) : () => undefined;
  const body = compileStatement(node.body, context, []);
  return (env) => {
    init(env);
    for (; test(env); update(env)) {
      if (--machine.fuel < 0) machine.refuel();
      const signal = body(env);
      if (signal === Signal.Normal) continue;
      const end = afterBody(signal, labels);
      if (end !== undefined) return end;
    }
    return Signal.Normal;
  };
}

function forInit(init: Node | null, context: Context): (env: Env) => unknown {
  if (!init) return () => undefined;
  return init.type === 'VariableDeclaration'
    ? variableDeclaration(init, context)
    : compileExpression(init, context.scope);
}

function whileStatement(node: Node, context: Context, labels: readonly string[]): Exec {
  const test = compileExpression(node.test!, context.scope);
  const body = compileStatement(node.body, context, []);
  return (env) => {
    while (test(env)) {
      if (--machine.fuel < 0) machine.refuel();
      const end = afterBody(body(env), labels);
      if (end !== undefined) return end;
    }
    return Signal.Normal;
  };
}

function doWhileStatement(node: Node, context: Context, labels: readonly string[]): Exec {
  const test = compileExpression(node.test!, context.scope);
  const body = compileStatement(node.body, context, []);
  return (env) => {
    do {
      if (--machine.fuel < 0) machine.refuel();
      const end = afterBody(body(env), labels);
      if (end !== undefined) return end;
    } while (test(env));
    return Signal.Normal;
  };
}

function forInStatement(node: Node, context: Context, labels: readonly string[]): Exec {
  const target = forInTarget(node.left, context);
  const object = compileExpression(node.right, context.scope);
  const body = compileStatement(node.body, context, []);
  return (env) => {
    const value = object(env);
    if (value === undefined || value === null) return Signal.Normal;
    for (const key of enumerableKeys(toObject(value))) {
      if (--machine.fuel < 0) machine.refuel();
      target(env, key);
      const end = afterBody(body(env), labels);
      if (end !== undefined) return end;
    }
    return Signal.Normal;
  };
}

function forInTarget(left: Node, context: Context): Assign {
  if (left.type !== 'VariableDeclaration') return compileAssign(left, context.scope);
  const [{ id }] = left.declarations as [Node];
  return writeVariable(id!.name, resolve(id!.name, context.scope), id!.start, context.scope);
}

/** The names `for (in)` visits; one deleted meanwhile is not visited. */
function* enumerableKeys(object: Obj): Generator<string> {
  const seen = new Set<Key>();
  for (let holder: Obj | null = object; holder; holder = holder.getPrototype()) {
    for (const key of holder.keys()) {
      if (typeof key === 'symbol' || seen.has(key)) continue;
      const prop = holder.getOwn(key);
      if (!prop) continue;
      seen.add(key);
      if (prop.flags & ENUMERABLE) yield key;
    }
  }
}

function switchStatement(node: Node, context: Context, labels: readonly string[]): Exec {
  const discriminant = compileExpression(node.discriminant, context.scope);
  const cases = node.cases.map(({ test, consequent }) => ({
    test: test ? compileExpression(test, context.scope) : undefined,
    body: compileStatements(consequent, context),
  }));
  const otherwise = cases.findIndex(({ test }) => !test);
  return (env) => {
    const value = discriminant(env);
    let from = cases.findIndex(({ test }) => test && test(env) === value);
    if (from < 0) from = otherwise;
    for (let index = from; index >= 0 && index < cases.length; index++) {
      const signal = cases[index]!.body(env);
      if (signal === Signal.Normal) continue;
      if (signal !== Signal.Break || (flow.label !== undefined && !labels.includes(flow.label))) return signal;
      return Signal.Normal;
    }
    return Signal.Normal;
  };
}

function labeledStatement(node: Node, context: Context, labels: readonly string[]): Exec {
  const { name } = node.label!;
  const body = compileStatement(node.body as Node, context, [...labels, name]);
  return (env) => {
    const signal = body(env);
    return signal === Signal.Break && flow.label === name ? Signal.Normal : signal;
  };
}

function tryStatement(node: Node, context: Context): Exec {
  const block = compileStatement(node.block, context, []);
  const guardedBlock = node.handler ? catching(block, catchClause(node.handler, context)) : block;
  if (!node.finalizer) return guardedBlock;
  return finishing(guardedBlock, compileStatement(node.finalizer, context, []));
}

function catching(block: Exec, handler: (env: Env, value: Value) => Signal): Exec {
  return (env) => {
    const { frame, depth } = machine;
    let thrown: GuestThrow;
    try {
      return block(env);
    } catch (error) {
      thrown = caught(error);
      machine.restore(frame, depth);
    }
    return handler(env, thrown.value);
  };
}

function catchClause(handler: Node, context: Context): (env: Env, value: Value) => Signal {
  const scope = new Scope(context.scope, 'block', false, context.scope.strict, context.scope.code);
  scope.declare(handler.param.name);
  const body = compileStatement(handler.body, { ...context, scope }, []);
  return (env, value) => body(new Env([value], env));
}

/** `finally` runs for the guest's own errors and jumps, and never once the run was ended. */
function finishing(block: Exec, finalizer: Exec): Exec {
  return (env) => {
    const { frame, depth } = machine;
    let signal: Signal = Signal.Normal;
    let thrown: GuestThrow | undefined;
    try {
      signal = block(env);
    } catch (error) {
      thrown = caught(error);
      machine.restore(frame, depth);
    }
    const { value, label, completion } = flow;
    const end = finalizer(env);
    if (end !== Signal.Normal) return end;
    if (thrown) throw thrown;
    flow.value = value;
    flow.label = label;
    flow.completion = completion;
    return signal;
  };
}

function withStatement(node: Node, context: Context): Exec {
  const object = compileExpression(node.object, context.scope);
  const scope = new Scope(context.scope, 'with', true, context.scope.strict, context.scope.code);
  const body = compileStatement(node.body, { ...context, scope }, []);
  return (env) => body(new Env([], env, toObject(object(env))));
}
