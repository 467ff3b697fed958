import type { FrameCode } from '../machine.js';
import type { Node } from '../syntax.js';
import type { Exec, FunctionCode } from './functions.js';
import { declaredNames, isStrict, mentions, Scope } from './scope.js';
import { compileStatements } from './statements.js';

/** Where the text of a function comes from. */
export interface Source {
  readonly text: string;
  /** `undefined` for code whose frames are not shown. */
  readonly lines: readonly number[] | undefined;
}

/** What a function expression's surroundings tell about it. */
export interface Naming {
  /** The name of an anonymous function. */
  readonly name?: string;
  /** The core of a lowered generator: `arguments` in it are those of the function around. */
  readonly core?: boolean;
}

const sources = new WeakMap<Scope, Source>();

/** The text a scope's code comes from. */
export function sourceOf(scope: Scope): Source {
  for (let at: Scope | null = scope; at; at = at.parent) {
    const source = sources.get(at);
    if (source) return source;
  }
  return { text: '', lines: undefined };
}

/**
 * Compiles a function inside a scope. Its body is compiled with its first call: of a library most is never called.
 */
export function compileFunction(
  node: Node,
  parent: Scope | null,
  source?: Source,
  { name = '', core = false }: Naming = {},
): FunctionCode {
  const { text, lines } = source ?? sourceOf(parent!);
  const body = (node.body as Node).body as readonly Node[];
  const strict = (parent?.strict ?? false) || isStrict(body);
  const code: FunctionCode = {
    name: node.id?.name ?? name,
    lines,
    parameters: node.params.map((parameter) => parameter.name),
    length: expectedArguments(node.params, body),
    parameterSlots: [],
    thisSlot: 0,
    argumentsSlot: -1,
    selfSlot: -1,
    strict,
    source: text.slice(node.start, node.end),
    slotCount: 0,
    mark: 0,
    functions: [],
    body: (env) => {
      prepare();
      return code.body(env);
    },
  };
  const scope = new Scope(parent, 'function', !strict && mentions(body, 'eval'), strict, code);
  if (source) sources.set(scope, source);
  layout(node, body, scope, code as Mutable<FunctionCode>, core);
  const prepare = (): void => {
    code.body = compileStatements(body, { scope, completion: false });
  };
  return code;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Gives every variable of a function its slot. */
function layout(node: Node, body: readonly Node[], scope: Scope, code: Mutable<FunctionCode>, core: boolean): void {
  code.thisSlot = scope.declare('this');
  const { names, functions } = declaredNames(body);
  const own = new Set([...code.parameters, ...names, ...functions.map(({ id }) => id!.name)]);
  if (node.type === 'FunctionExpression' && node.id && !own.has(node.id.name)) {
    code.selfSlot = scope.declare(node.id.name);
    scope.constants.add(node.id.name);
  }
  code.parameterSlots = code.parameters.map((name) => scope.declare(name));
  if (!core && !own.has('arguments') && (mentions(body, 'arguments') || mentions(body, 'eval')))
    code.argumentsSlot = scope.declare('arguments');
  for (const name of names) scope.declare(name);
  const slots = functions.map(({ id }) => scope.declare(id!.name));
  code.slotCount = scope.names.size;
  code.functions = functions.map((inner, index) => ({ slot: slots[index]!, code: compileFunction(inner, scope) }));
}

/** The parameters before the first that has a default, which TypeScript writes `if (b === void 0) { b = 1; }`. */
function expectedArguments(params: readonly Node[], body: readonly Node[]): number {
  const optional = new Set<string>();
  for (const statement of body) {
    const tests =
      statement.type === 'VariableDeclaration'
        ? statement.declarations.map(({ init }) => (init?.type === 'ConditionalExpression' ? init.test : undefined))
        : [statement.type === 'IfStatement' ? statement.test : undefined];
    for (const test of tests) if (test && isDefaultTest(test)) optional.add(test.left.name);
    if (statement.type !== 'VariableDeclaration' && statement.type !== 'IfStatement') break;
  }
  const first = params.findIndex(({ name }) => optional.has(name));
  return first < 0 ? params.length : first;
}

/** `x === void 0`. */
export function isDefaultTest(test: Node): boolean {
  return test.type === 'BinaryExpression' && test.operator === '===' && test.right.operator === 'void';
}

/** A program that runs in a scope it did not make (the code of an `eval`). */
export interface ProgramCode {
  readonly body: Exec;
  readonly names: readonly string[];
  readonly functions: readonly { readonly name: string; readonly code: FunctionCode }[];
}

export function compileProgram(program: Node, scope: Scope, source: Source): ProgramCode {
  sources.set(scope, source);
  const { names, functions } = declaredNames(program.body);
  return {
    names,
    functions: functions.map((node) => ({ name: node.id!.name, code: compileFunction(node, scope) })),
    body: compileStatements(program.body, { scope, completion: true }),
  };
}

/** Code whose frames are not shown. */
export function hiddenCode(name: string): FrameCode {
  return { name, lines: undefined };
}
