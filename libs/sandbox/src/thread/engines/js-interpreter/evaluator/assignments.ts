import { toNumeric } from '../convert.js';
import { machine, throwError } from '../machine.js';
import type { Node } from '../syntax.js';
import type { Value } from '../values.js';
import { compileExpression, compileNamed, guarded, keyOf } from './expressions.js';
import { binaryOperator } from './operators.js';
import { type Assign, type Evaluate, readMember, readVariable, writeMember, writeVariable } from './references.js';
import { type Env, resolve, type Scope } from './scope.js';

interface Located {
  readonly object: Value;
  readonly key: Value;
}

/** A place that can be read and assigned: the object and key are evaluated once. */
interface Reference {
  readonly locate: (env: Env) => Located;
  readonly read: (env: Env, at: Located) => Value;
  readonly write: (env: Env, at: Located, value: Value) => void;
}

const NOWHERE = { object: undefined, key: undefined };

function reference(node: Node, scope: Scope): Reference {
  if (node.type === 'Identifier') {
    const binding = resolve(node.name, scope);
    const read = readVariable(node.name, binding, node.start);
    const write = writeVariable(node.name, binding, node.start, scope);
    return { locate: () => NOWHERE, read: (env) => read(env), write: (env, _at, value) => write(env, value) };
  }
  if (node.type !== 'MemberExpression') return notAssignable(node);
  const object = compileExpression(node.object, scope);
  const key = keyOf(node, scope);
  const position = node.property.start;
  return {
    locate: (env) => ({ object: object(env), key: key(env) }),
    read: (_env, at) => readMember(at.object, at.key, position),
    write: (_env, at, value) => writeMember(at.object, at.key, value, position, scope.strict),
  };
}

function notAssignable(node: Node): Reference {
  const fail = (): never => {
    machine.frame!.position = node.start;
    return throwError('ReferenceError', 'Invalid left-hand side in assignment');
  };
  return { locate: fail, read: fail, write: fail };
}

/** What a plain `=` does with its left side; also the head of `for (x in ...)`. */
export function compileAssign(node: Node, scope: Scope): Assign {
  const { locate, write } = reference(node, scope);
  return (env, value) => write(env, locate(env), value);
}

/** `left = right`, `left += right`. */
export function assignment(node: Node, scope: Scope): Evaluate {
  const right = compileNamed(node.right, scope, node.left.type === 'Identifier' ? node.left.name : '');
  if (node.operator !== '=') return compoundAssignment(node, scope, right);
  if (node.left.type === 'Identifier') {
    const write = writeVariable(node.left.name, resolve(node.left.name, scope), node.left.start, scope);
    return (env) => {
      const value = right(env);
      write(env, value);
      return value;
    };
  }
  const { locate, write } = reference(node.left, scope);
  return (env) => {
    const at = locate(env);
    const value = right(env);
    write(env, at, value);
    return value;
  };
}

function compoundAssignment(node: Node, scope: Scope, right: Evaluate): Evaluate {
  const operate = binaryOperator(node.operator.slice(0, -1));
  const { locate, read, write } = reference(node.left, scope);
  return (env) => {
    const at = locate(env);
    const before = read(env, at);
    const value = guarded(operate, before, right(env), node.start);
    write(env, at, value);
    return value;
  };
}

/** `++x`, `x--`. */
export function update(node: Node, scope: Scope): Evaluate {
  const { locate, read, write } = reference(node.argument!, scope);
  const step = node.operator === '++' ? 1 : -1;
  const { prefix } = node;
  return (env) => {
    const at = locate(env);
    const value = read(env, at);
    const before = typeof value === 'number' ? value : toNumeric(value);
    const after = typeof before === 'bigint' ? before + BigInt(step) : before + step;
    write(env, at, after);
    return prefix ? after : before;
  };
}
