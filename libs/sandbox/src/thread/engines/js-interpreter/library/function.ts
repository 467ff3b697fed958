import { ArrayObj, HOLE } from '../arrays.js';
import { call, lengthOf, ordinaryHasInstance, toInteger, toText } from '../convert.js';
import { compileFunction } from '../evaluator/compile.js';
import { parseGuest } from '../evaluator/eval.js';
import { Closure } from '../evaluator/functions.js';
import { Env } from '../evaluator/scope.js';
import { machine, throwError } from '../machine.js';
import { parseFunction } from '../syntax.js';
import { CONFIGURABLE, ELEMENT_BYTES, FnObj, Obj, type Value } from '../values.js';
import { defineClass, defineMethod, defineMethods } from './define.js';

/** More arguments than this in one call are refused, as engines do. */
const MAX_ARGUMENTS = 65_536;

/** What `bind` makes. */
class BoundFn extends FnObj {
  constructor(
    readonly boundTarget: FnObj,
    private readonly self: Value,
    private readonly leading: readonly Value[],
  ) {
    super(boundTarget.getPrototype());
    machine.charge(leading.length * ELEMENT_BYTES);
    if (boundTarget.construct)
      this.construct = (args, target) =>
        boundTarget.construct!(this.allArguments(args), target === this ? boundTarget : target);
  }
  override get text(): string {
    return 'function () { [native code] }';
  }
  override visit(see: (value: Value) => void): number {
    for (const value of [this.boundTarget, this.self, ...this.leading]) see(value);
    return super.visit(see) + this.leading.length * ELEMENT_BYTES;
  }
  override call(_self: Value, args: Value[]): Value {
    machine.tick();
    return this.boundTarget.call(this.self, this.allArguments(args));
  }
  /** In a chain of bound functions each makes a longer list than the one before, and all of them wait on the stack. */
  private allArguments(args: readonly Value[]): Value[] {
    const length = this.leading.length + args.length;
    if (length > MAX_ARGUMENTS) throwError('RangeError', 'Maximum call stack size exceeded');
    machine.spend(length >> 2);
    machine.charge(length * ELEMENT_BYTES);
    return [...this.leading, ...args];
  }
}

/** The arguments an array-like stands for. */
export function listFromArrayLike(value: Value): Value[] {
  if (value === undefined || value === null) return [];
  if (!(value instanceof Obj)) return throwError('TypeError', 'CreateListFromArrayLike called on non-object');
  const length = lengthOf(value);
  if (length > MAX_ARGUMENTS) return throwError('RangeError', 'Maximum call stack size exceeded');
  machine.spend(length >> 2);
  if (value instanceof ArrayObj && !value.exotic && !value.sparse && length === value.elements.length)
    return value.elements.map((element, index) => (element === HOLE ? value.get(String(index)) : element));
  return Array.from({ length }, (_, index) => value.get(String(index)));
}

function requireFunction(value: Value, what: string): FnObj {
  return value instanceof FnObj ? value : throwError('TypeError', `${what} called on a value that is no function`);
}

/** `Function` and `Function.prototype` (ECMA-262 20.2). */
export function installFunction(global: Obj): void {
  const { functionProto } = machine.intrinsics;
  defineClass(global, 'Function', 1, functionProto, (_self, args) => makeFunction(args));
  defineMethods(functionProto, {
    apply: [2, (self, [receiver, args]) => requireFunction(self, 'apply').call(receiver, listFromArrayLike(args))],
    call: [1, (self, [receiver, ...args]) => call(self, receiver, args)],
    bind: [1, (self, [receiver, ...leading]) => bind(requireFunction(self, 'bind'), receiver, leading)],
    'toString()': [0, (self) => requireFunction(self, 'toString').text],
  });
  const hasInstance = defineMethod(functionProto, Symbol.hasInstance, 1, (self, [value]) =>
    ordinaryHasInstance(self, value),
  );
  functionProto.define(Symbol.hasInstance, {
    value: hasInstance,
    writable: false,
    enumerable: false,
    configurable: false,
  });
}

function bind(target: FnObj, self: Value, leading: Value[]): FnObj {
  const bound = new BoundFn(target, self, leading);
  const length = target.getOwn('length') ? target.get('length') : 0;
  const left = typeof length === 'number' ? Math.max(0, toInteger(length) - leading.length) : 0;
  const name = target.get('name');
  bound.put('length', left, CONFIGURABLE);
  bound.put('name', `bound ${typeof name === 'string' ? name : ''}`, CONFIGURABLE);
  return bound;
}

/** `new Function('a', 'b', 'return a + b')`: body and parameters must each parse by themselves. */
function makeFunction(args: Value[]): FnObj {
  const texts = args.map(toText);
  const body = texts.pop() ?? '';
  const parameters = texts.join(',');
  parseGuest(`function(){${body}\n}`, parseFunction);
  parseGuest(`function(${parameters}\n){}`, parseFunction);
  const text = `function anonymous(${parameters}\n) {\n${body}\n}`;
  const node = parseGuest(text, parseFunction);
  const source = { text: `(${text})`, lines: undefined };
  return new Closure(compileFunction(node, null, source), new Env([], null));
}
