import type { FrameCode } from '../machine.js';
import { ACCESSOR, type Obj, type Value, WRITABLE } from '../values.js';
import type { Node } from '../syntax.js';

/** Variables of one function call (or catch clause, or `with`), found by position. */
export class Env {
  /** Variables that a direct `eval` declared, by name. */
  dynamic: Map<string, Value> | undefined;
  /** The last measurement of memory that saw it. */
  mark = 0;
  constructor(
    readonly slots: Value[],
    readonly parent: Env | null,
    /** The object of a `with` statement. */
    readonly object?: Obj,
  ) {}
}

/** What is known about an `Env` before it exists. */
export class Scope {
  readonly names = new Map<string, number>();
  /** Names that cannot be assigned (that of a function expression). */
  readonly constants = new Set<string>();
  constructor(
    readonly parent: Scope | null,
    readonly kind: 'function' | 'block' | 'with',
    /** `with`, or a function whose direct `eval` may declare variables: names have to be looked for at run time. */
    readonly dynamic: boolean,
    readonly strict: boolean,
    /** The function (or program) it belongs to. */
    readonly code: FrameCode,
  ) {}

  declare(name: string): number {
    const known = this.names.get(name);
    if (known !== undefined) return known;
    this.names.set(name, this.names.size);
    return this.names.size - 1;
  }
}

/** Where a name leads to: a slot some scopes up, or the global object; and the dynamic scopes to ask before. */
export interface Binding {
  /** Scopes to go up; -1 for the global object. */
  readonly hops: number;
  readonly slot: number;
  readonly constant: boolean;
  /** How far up the dynamic scopes on the way are, nearest first. */
  readonly dynamic: readonly number[];
}

export function resolve(name: string, from: Scope): Binding {
  const dynamic: number[] = [];
  let hops = 0;
  for (let scope: Scope | null = from; scope; scope = scope.parent, hops++) {
    const slot = scope.names.get(name);
    if (slot !== undefined) return { hops, slot, constant: scope.constants.has(name), dynamic };
    if (scope.dynamic) dynamic.push(hops);
  }
  return { hops: -1, slot: -1, constant: false, dynamic };
}

export function envAt(env: Env, hops: number): Env {
  let found = env;
  for (let left = hops; left > 0; left--) found = found.parent!;
  return found;
}

/** Names a function declares (`var` and functions), without entering functions inside it. */
export function declaredNames(body: readonly Node[]): { names: string[]; functions: Node[] } {
  const names: string[] = [];
  const functions: Node[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (!isNode(node)) return;
    if (node.type === 'FunctionDeclaration') return void functions.push(node);
    if (node.type === 'VariableDeclaration') for (const { id } of node.declarations) names.push(id!.name);
    if (STATEMENTS.has(node.type)) for (const child of Object.values(node)) visit(child);
  };
  visit(body);
  return { names, functions };
}

const STATEMENTS: ReadonlySet<string> = new Set([
  'BlockStatement',
  'CatchClause',
  'DoWhileStatement',
  'ForInStatement',
  'ForStatement',
  'IfStatement',
  'LabeledStatement',
  'SwitchCase',
  'SwitchStatement',
  'TryStatement',
  'WithStatement',
  'WhileStatement',
]);

/** Whether a function's own code (functions inside it left out) names one of the identifiers, or calls `eval`. */
export function mentions(body: unknown, name: string): boolean {
  if (Array.isArray(body)) return body.some((child) => mentions(child, name));
  if (!isNode(body)) return false;
  if (body.type === 'Identifier') return body.name === name;
  if (body.type === 'FunctionExpression' || body.type === 'FunctionDeclaration') return false;
  // The core of a lowered generator is part of its function.
  if (isCoreCall(body))
    return body.arguments.some((part) => mentions(part.type === 'FunctionExpression' ? part.body : part, name));
  return Object.values(body).some((child) => mentions(child, name));
}

/** The call of a lowered async function or generator to its core. */
export function isCoreCall(node: Node): boolean {
  return node.type === 'CallExpression' && (node.callee.name === '__awaiter' || node.callee.name === '__generator');
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value;
}

export function isStrict(body: readonly Node[]): boolean {
  for (const statement of body) {
    const { expression } = statement;
    if (statement.type !== 'ExpressionStatement' || expression.type !== 'Literal') return false;
    // In parentheses, which the tree only shows by where the node begins, it is no directive.
    if (expression.end - expression.start !== expression.raw.length) return false;
    if (typeof expression.value !== 'string') return false;
    if (expression.raw.slice(1, -1) === 'use strict') return true;
  }
  return false;
}

/** Whether a property can be assigned. */
export function isReadOnly(object: Obj, name: string): boolean {
  const prop = object.getOwn(name);
  return prop !== undefined && !(prop.flags & ACCESSOR) && !(prop.flags & WRITABLE);
}
