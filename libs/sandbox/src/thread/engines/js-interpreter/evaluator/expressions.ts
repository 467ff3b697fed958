import { ArrayObj, HOLE } from '../arrays.js';
import { construct, toText } from '../convert.js';
import { machine, newArray, newObject, throwError } from '../machine.js';
import type { Node } from '../syntax.js';
import { FnObj, Obj, Prop, PLAIN, type Value, type Key } from '../values.js';
import { compileFunction, isDefaultTest, type Naming } from './compile.js';
import { directEval } from './eval.js';
import { assignment, update } from './assignments.js';
import { Closure } from './functions.js';
import { binaryOperator, typeOf, unaryOperator } from './operators.js';
import { deleteMember, dynamicHolder, type Evaluate, readMember, readVariable } from './references.js';
import { isCoreCall, resolve, type Scope } from './scope.js';
import { getMember } from '../convert.js';
import { newRegExp } from '../library/regexp.js';

type Compile = (node: Node, scope: Scope) => Evaluate;

/** Turns an expression into a closure that evaluates it. */
export function compileExpression(node: Node, scope: Scope): Evaluate {
  return COMPILERS[node.type]!(node, scope);
}

const COMPILERS: Readonly<Record<string, Compile>> = {
  Literal: literal,
  Identifier: identifier,
  ThisExpression: (node, scope) => readVariable('this', { ...resolve('this', scope), dynamic: [] }, node.start),
  MemberExpression: member,
  CallExpression: callExpression,
  NewExpression: newExpression,
  BinaryExpression: binary,
  LogicalExpression: logical,
  ConditionalExpression: conditional,
  AssignmentExpression: assignment,
  UpdateExpression: update,
  UnaryExpression: unary,
  SequenceExpression: sequence,
  ArrayExpression: arrayLiteral,
  ObjectExpression: objectLiteral,
  FunctionExpression: functionExpression,
};

function identifier(node: Node, scope: Scope): Evaluate {
  // What is compiled has no `super` any more; the parser takes that of an `eval` for a name.
  if (node.name === 'super') throwError('SyntaxError', "'super' keyword unexpected here");
  return readVariable(node.name, resolve(node.name, scope), node.start);
}

function literal(node: Node): Evaluate {
  const { value } = node as { value: unknown };
  if (value instanceof RegExp) {
    const end = node.raw.lastIndexOf('/');
    return () => newRegExp(node.raw.slice(1, end), node.raw.slice(end + 1));
  }
  return () => value as Value;
}

function member(node: Node, scope: Scope): Evaluate {
  const object = compileExpression(node.object, scope);
  const position = node.property.start;
  if (node.computed) {
    const key = compileExpression(node.property, scope);
    return (env) => readMember(object(env), key(env), position);
  }
  const { name } = node.property;
  if (name === 'length') return (env) => readLength(object(env), position);
  return (env) => {
    const target = object(env);
    machine.frame!.position = position;
    return target instanceof Obj ? target.get(name) : getMember(target, name);
  };
}

function readLength(target: Value, position: number): Value {
  if (target instanceof ArrayObj && !target.exotic) return target.length;
  if (typeof target === 'string') return target.length;
  machine.frame!.position = position;
  return getMember(target, 'length');
}

/** The key of a member expression. */
export function keyOf(node: Node, scope: Scope): Evaluate {
  if (node.computed) return compileExpression(node.property, scope);
  const { name } = node.property;
  return () => name;
}

function compileArguments(nodes: readonly Node[], scope: Scope): (env: Parameters<Evaluate>[0]) => Value[] {
  const args = nodes.map((node) => compileExpression(node, scope));
  const [first, second, third] = args;
  if (!first) return () => [];
  if (!second) return (env) => [first(env)];
  if (!third) return (env) => [first(env), second(env)];
  return (env) => {
    const values: Value[] = [];
    for (const arg of args) values.push(arg(env));
    return values;
  };
}

function callExpression(node: Node, scope: Scope): Evaluate {
  if (node.callee.type === 'MemberExpression') return methodCall(node, scope);
  if (isCoreCall(node)) return coreCall(node, scope);
  if (node.callee.name === '__makeTemplateObject') return templateObject(node, scope);
  const args = compileArguments(node.arguments, scope);
  const position = node.callee.start;
  const callee = compileExpression(node.callee, scope);
  const self = withObject(node.callee, scope);
  const direct = node.callee.type === 'Identifier' && node.callee.name === 'eval';
  const name = calleeName(node.callee);
  return (env) => {
    const target = callee(env);
    const values = args(env);
    machine.frame!.position = position;
    if (!(target instanceof FnObj)) return throwError('TypeError', `${name} is not a function`);
    if (direct && isEval(target)) return directEval(values[0], scope, env);
    return target.call(self?.(env), values);
  };
}

/** A function found through `with (object)` is called on that object. */
function withObject(callee: Node, scope: Scope): Evaluate | undefined {
  if (callee.type !== 'Identifier') return undefined;
  const binding = resolve(callee.name, scope);
  return binding.dynamic.length > 0 ? (env) => dynamicHolder(callee.name, binding, env)?.object : undefined;
}

function isEval(target: FnObj): boolean {
  return (target as { isEval?: boolean }).isEval === true;
}

function methodCall(node: Node, scope: Scope): Evaluate {
  const object = compileExpression(node.callee.object, scope);
  const key = keyOf(node.callee, scope);
  const args = compileArguments(node.arguments, scope);
  const position = node.callee.property.start;
  const name = calleeName(node.callee);
  const fixed = node.callee.computed ? undefined : node.callee.property.name;
  return (env) => {
    const self = object(env);
    let target: Value;
    if (fixed !== undefined && self instanceof Obj) {
      machine.frame!.position = position;
      target = self.get(fixed);
    } else {
      target = readMember(self, key(env), position);
    }
    const values = args(env);
    machine.frame!.position = position;
    if (target instanceof FnObj) return target.call(self, values);
    return throwError('TypeError', `${name} is not a function`);
  };
}

function calleeName(node: Node): string {
  if (node.type === 'Identifier') return node.name;
  if (node.type === 'ThisExpression') return 'this';
  if (node.type === 'MemberExpression' && !node.computed) return `${calleeName(node.object)}.${node.property.name}`;
  if (node.type === 'MemberExpression') return `${calleeName(node.object)}[...]`;
  return '(intermediate value)';
}

function newExpression(node: Node, scope: Scope): Evaluate {
  const callee = compileExpression(node.callee, scope);
  const args = compileArguments(node.arguments, scope);
  const name = calleeName(node.callee);
  return (env) => {
    const target = callee(env);
    const values = args(env);
    machine.frame!.position = node.start;
    if (target instanceof FnObj && target.construct) return construct(target, values);
    return throwError('TypeError', `${name} is not a constructor`);
  };
}

function binary(node: Node, scope: Scope): Evaluate {
  const left = compileExpression(node.left, scope);
  const right = compileExpression(node.right, scope);
  const operate = binaryOperator(node.operator);
  const position = node.start;
  switch (node.operator) {
    case '===':
      return (env) => left(env) === right(env);
    case '!==':
      return (env) => left(env) !== right(env);
    case '<':
      return (env) => {
        const a = left(env);
        const b = right(env);
        return typeof a === 'number' && typeof b === 'number' ? a < b : guarded(operate, a, b, position);
      };
    case '+':
      return (env) => {
        const a = left(env);
        const b = right(env);
        return typeof a === 'number' && typeof b === 'number' ? a + b : guarded(operate, a, b, position);
      };
    default:
      return (env) => guarded(operate, left(env), right(env), position);
  }
}

/** An operation, with its place on record. */
export function guarded(operate: (a: Value, b: Value) => Value, a: Value, b: Value, position: number): Value {
  machine.frame!.position = position;
  return operate(a, b);
}

function logical(node: Node, scope: Scope): Evaluate {
  const left = compileExpression(node.left, scope);
  const right = compileExpression(node.right, scope);
  return node.operator === '&&' ? (env) => left(env) && right(env) : (env) => left(env) || right(env);
}

function conditional(node: Node, scope: Scope): Evaluate {
  const test = compileExpression(node.test!, scope);
  const consequent = compileExpression(node.consequent, scope);
  const alternate = compileExpression(node.alternate!, scope);
  return (env) => (test(env) ? consequent(env) : alternate(env));
}

function unary(node: Node, scope: Scope): Evaluate {
  const argument = node.argument!;
  if (node.operator === 'delete') return deletion(argument, scope);
  if (node.operator === 'typeof' && argument.type === 'Identifier') {
    const read = readVariable(argument.name, resolve(argument.name, scope), argument.start, true);
    return (env) => typeOf(read(env));
  }
  const operate = unaryOperator(node.operator);
  const operand = compileExpression(argument, scope);
  return (env) => operate(operand(env));
}

function deletion(argument: Node, scope: Scope): Evaluate {
  if (argument.type === 'MemberExpression') {
    const object = compileExpression(argument.object, scope);
    const key = keyOf(argument, scope);
    const position = argument.property.start;
    return (env) => {
      const target = object(env);
      const name = key(env);
      machine.frame!.position = position;
      return deleteMember(target, name, scope.strict);
    };
  }
  if (argument.type !== 'Identifier') {
    const operand = compileExpression(argument, scope);
    return (env) => {
      operand(env);
      return true;
    };
  }
  return deleteVariable(argument.name, scope);
}

function deleteVariable(name: string, scope: Scope): Evaluate {
  const binding = resolve(name, scope);
  return (env) => {
    const holder = dynamicHolder(name, binding, env);
    if (holder) return holder.object ? holder.object.delete(name) : holder.dynamic!.delete(name);
    return binding.hops < 0 ? machine.intrinsics.global.delete(name) : false;
  };
}

function sequence(node: Node, scope: Scope): Evaluate {
  const parts = node.expressions.map((part) => compileExpression(part, scope));
  const last = parts.pop()!;
  return (env) => {
    for (const part of parts) part(env);
    return last(env);
  };
}

function arrayLiteral(node: Node, scope: Scope): Evaluate {
  const parts = node.elements.map((part) => (part ? compileExpression(part, scope) : undefined));
  return (env) => newArray(parts.map((part) => (part ? part(env) : HOLE)));
}

function objectLiteral(node: Node, scope: Scope): Evaluate {
  const parts = node.properties.map((part) => ({
    key: propertyName(part.key),
    kind: part.kind,
    value: compileNamed(part.value, scope, String(propertyName(part.key))),
  }));
  return (env) => {
    const object = newObject();
    for (const { key, kind, value } of parts) {
      const made = value(env);
      if (kind === 'init' && key === '__proto__') {
        if (made instanceof Obj || made === null) object.setPrototype(made);
      } else if (kind === 'init') object.store(key, new Prop(made, PLAIN));
      else object.define(key, { [kind]: made as FnObj, enumerable: true, configurable: true });
    }
    return object;
  };
}

function propertyName(key: Node): Key {
  if (key.type === 'Identifier') return key.name;
  return toText((key as { value: unknown }).value as Value);
}

function functionExpression(node: Node, scope: Scope, naming: Naming = {}): Evaluate {
  const code = compileFunction(node, scope, undefined, naming);
  return (env) => new Closure(code, env);
}

/** An expression whose value, where it is an anonymous function, gets a name (`var f = function () {}`). */
export function compileNamed(node: Node, scope: Scope, name: string): Evaluate {
  if (node.type === 'FunctionExpression') return functionExpression(node, scope, { name });
  // The default of a destructured variable: `f = _a === void 0 ? function () {} : _a`.
  if (node.type !== 'ConditionalExpression' || !isDefaultTest(node.test!)) return compileExpression(node, scope);
  const test = compileExpression(node.test!, scope);
  const given = compileExpression(node.alternate!, scope);
  const otherwise = compileNamed(node.consequent, scope, name);
  return (env) => (test(env) ? otherwise(env) : given(env));
}

/** A template's object is made once a run for each place in the source. */
function templateObject(node: Node, scope: Scope): Evaluate {
  const args = node.arguments.map((arg) => compileExpression(arg, scope));
  let made: { readonly run: number; readonly object: Value } | undefined;
  return (env) => {
    if (made?.run === machine.run) return made.object;
    const make = machine.intrinsics.global.get('__makeTemplateObject') as FnObj;
    made = {
      run: machine.run,
      object: make.call(
        undefined,
        args.map((arg) => arg(env)),
      ),
    };
    return made.object;
  };
}

/** The call of a lowered async function or generator to its core: both are one function to the author. */
function coreCall(node: Node, scope: Scope): Evaluate {
  const { name } = node.callee;
  const naming = { name: scope.code.name, core: name === '__generator' };
  const args = node.arguments.map((arg) =>
    arg.type === 'FunctionExpression' ? functionExpression(arg, scope, naming) : compileExpression(arg, scope),
  );
  return (env) => {
    const values = args.map((arg) => arg(env));
    machine.frame!.position = -1;
    const core = machine.intrinsics.global.get(name);
    return core instanceof FnObj ? core.call(undefined, values) : undefined;
  };
}
