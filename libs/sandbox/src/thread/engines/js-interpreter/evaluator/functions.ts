import { ArrayObj } from '../arrays.js';
import { BoxObj, protoOf } from '../convert.js';
import { type FrameCode, machine, newObject, throwError } from '../machine.js';
import { CONFIGURABLE, FnObj, HIDDEN, type Key, Obj, Prop, type Value, WRITABLE } from '../values.js';
import { Env } from './scope.js';

/** How a statement ended. */
export const enum Signal {
  Normal,
  Break,
  Continue,
  Return,
}
export type Exec = (env: Env) => Signal;

/** What a signal carries: the value returned, the label jumped to, the completion value of an `eval`. */
export const flow: { value: Value; label: string | undefined; completion: Value } = {
  value: undefined,
  label: undefined,
  completion: undefined,
};

/** A function as compiled: what all its closures share. */
export interface FunctionCode extends FrameCode {
  readonly parameters: readonly string[];
  /** What the function's `length` is. */
  readonly length: number;
  readonly parameterSlots: readonly number[];
  readonly thisSlot: number;
  /** -1 where the function never names `arguments`. */
  readonly argumentsSlot: number;
  /** -1 where the function's own name is no variable of its own. */
  readonly selfSlot: number;
  readonly strict: boolean;
  readonly source: string;
  slotCount: number;
  /** The last measurement of memory that saw it. */
  mark: number;
  functions: readonly { readonly slot: number; readonly code: FunctionCode }[];
  body: Exec;
}

/** What a character of code is compiled to, in bytes: its part of the tree and of the closures. */
export const CODE_BYTES = 20;

/** A function of the guest's. Its `prototype`, `name` and `length` are made when somebody asks. */
export class Closure extends FnObj {
  private lazy = true;

  constructor(
    readonly code: FunctionCode,
    readonly scope: Env,
  ) {
    super(machine.intrinsics.functionProto);
    this.construct = constructClosure;
  }

  override get text(): string {
    return this.code.source;
  }

  override getOwn(key: Key): Prop | undefined {
    if (this.lazy) this.materialise();
    return this.props.get(key);
  }

  override keys(): Key[] {
    if (this.lazy) this.materialise();
    return super.keys();
  }

  override visit(see: (value: Value) => void): number {
    seeEnv(this.scope, see);
    return super.visit(see) + this.codeBytes();
  }

  /** Code that a script made at run time is the run's own; each is counted once. */
  private codeBytes(): number {
    const { code } = this;
    if (code.lines || code.mark === machine.measurement) return 0;
    code.mark = machine.measurement;
    return code.source.length * CODE_BYTES;
  }

  override call(self: Value, args: Value[]): Value {
    const { code } = this;
    machine.enter(code);
    const slots: Value[] = [];
    for (let slot = code.slotCount; slot > 0; slot--) slots.push(undefined);
    slots[code.thisSlot] = code.strict ? self : sloppyThis(self);
    const { parameterSlots } = code;
    for (let index = 0; index < parameterSlots.length; index++) slots[parameterSlots[index]!] = args[index];
    const env = new Env(slots, this.scope);
    machine.frame!.env = env;
    if (code.argumentsSlot >= 0) slots[code.argumentsSlot] = makeArguments(this, args);
    if (code.selfSlot >= 0) slots[code.selfSlot] = this;
    for (const { slot, code: inner } of code.functions) slots[slot] = new Closure(inner, env);
    const signal = code.body(env);
    machine.leave();
    if (signal !== Signal.Return) return undefined;
    const { value } = flow;
    flow.value = undefined;
    return value;
  }

  /** Makes the properties every function has. */
  materialise(): void {
    if (!this.lazy) return;
    this.lazy = false;
    this.props.set('length', new Prop(this.code.length, CONFIGURABLE));
    this.props.set('name', new Prop(this.code.name, CONFIGURABLE));
    const proto = newObject();
    proto.put('constructor', this, HIDDEN);
    this.props.set('prototype', new Prop(proto, WRITABLE));
  }
}

/** Shows the variables of a scope and of those around it. */
export function seeEnv(env: Env | null, see: (value: Value) => void): void {
  for (let at = env; at && at.mark !== machine.measurement; at = at.parent) {
    at.mark = machine.measurement;
    for (const value of at.slots) see(value);
    if (at.dynamic) for (const value of at.dynamic.values()) see(value);
    see(at.object);
  }
}

function constructClosure(this: Closure, args: Value[], target: FnObj): Obj {
  const proto = target.get('prototype');
  const self = new Obj(proto instanceof Obj ? proto : machine.intrinsics.objectProto);
  const result = this.call(self, args);
  return result instanceof Obj ? result : self;
}

function sloppyThis(self: Value): Value {
  if (self === undefined || self === null) return machine.intrinsics.global;
  return self instanceof Obj ? self : new BoxObj(protoOf(self), self);
}

/** `arguments`, never mapped to the parameters: ES5 code made by the compiler does not rely on that. */
class ArgumentsObj extends ArrayObj {
  override get className(): string {
    return 'Arguments';
  }
}

function makeArguments(callee: Closure, args: Value[]): Obj {
  const object = new ArgumentsObj(machine.intrinsics.objectProto, args.slice());
  object.props.set(Symbol.iterator, new Prop(machine.intrinsics.arrayProto.get('values'), HIDDEN));
  if (!callee.code.strict) object.props.set('callee', new Prop(callee, HIDDEN));
  return object;
}

/** A native method: its host function gets the receiver, the arguments, and the target of a `new`. */
export type Native = (self: Value, args: Value[], target: FnObj | undefined) => Value;

/** A function of the library. */
export class NativeFn extends FnObj {
  constructor(
    readonly name: string,
    length: number,
    private readonly native: Native,
    constructs: boolean,
  ) {
    super(machine.intrinsics.functionProto);
    this.put('length', length, CONFIGURABLE);
    this.put('name', name, CONFIGURABLE);
    if (constructs) this.construct = constructNative;
  }

  override get text(): string {
    return `function ${this.name}() { [native code] }`;
  }

  override call(self: Value, args: Value[]): Value {
    machine.tick();
    const derived = this.construct && self instanceof Obj ? this.derivedTarget(self) : undefined;
    return this.native(self, args, derived);
  }

  /**
   * `_super.call(this)` in an ES5 class that extends a library class: the object `this` was made as has to come from the
   * library, so the call is taken for a `new` whose target has that prototype.
   */
  private derivedTarget(self: Obj): FnObj | undefined {
    const proto = this.props.get('prototype')?.value;
    if (self === proto || self instanceof FnObj || !self.proto || self.proto.exotic) return undefined;
    for (let object: Obj | null = self.proto.proto; object; object = object.proto)
      if (object === proto && object !== machine.intrinsics.objectProto) return new PrototypeHolder(self.proto);
    return undefined;
  }

  make(args: Value[], target: FnObj): Obj {
    machine.tick();
    return this.native(undefined, args, target) as Obj;
  }
}

/** A `new.target` of which only the prototype is known. */
class PrototypeHolder extends FnObj {
  constructor(proto: Obj) {
    super(null);
    this.put('prototype', proto);
  }
  override get text(): string {
    return '';
  }
  override call(): Value {
    return undefined;
  }
}

function constructNative(this: FnObj, args: Value[], target: FnObj): Obj {
  return (this as NativeFn).make(args, target);
}

/** The prototype an object made by `new target` gets. */
export function protoFor(target: FnObj | undefined, otherwise: Obj): Obj {
  const proto = target?.get('prototype');
  return proto instanceof Obj ? proto : otherwise;
}

export function requireNew(target: FnObj | undefined, name: string): FnObj {
  return target ?? throwError('TypeError', `Constructor ${name} requires 'new'`);
}
