import { ArrayObj } from '../arrays.js';
import { call, getMember, getMethod } from '../convert.js';
import { caught, GuestThrow, machine, newArray, throwError } from '../machine.js';
import { FnObj, Obj, type Value } from '../values.js';
import { defineMethod, defineMethods, defineTag } from './define.js';
import { iteratorResult } from './iterate.js';
import { attempt, newPromise, promiseFor } from './promise.js';

/** What a generator's body is told to do next, and what it answers: TypeScript's instruction codes. */
const enum Op {
  Next = 0,
  Throw = 1,
  Return = 2,
  Break = 3,
  Yield = 4,
  YieldAll = 5,
  Catch = 6,
  EndFinally = 7,
}
type Instruction = readonly [op: Op, value: Value];

let generatorProto: Obj;
let stateProto: Obj;

/** What the compiled body sees as `_`: `label`, `sent()`, `trys`. */
class StateObj extends Obj {
  sent: Instruction = [Op.Next, undefined];
}

/**
 * A generator as TypeScript lowers one: a state machine that is called again and again with its state. The meaning of
 * the codes and of the regions in `trys` (start, catch, finally, end) is that of tslib's `__generator` (0BSD).
 */
export class GeneratorObj extends Obj {
  private state: StateObj | undefined;
  private running = false;
  private started = false;
  private delegate: Obj | undefined;
  private readonly trys: ArrayObj;
  private readonly ops: Instruction[] = [];

  constructor(
    private readonly self: Value,
    private readonly body: FnObj,
  ) {
    super(generatorProto);
    this.trys = newArray([]);
    this.state = new StateObj(stateProto);
    this.state.put('label', 0);
    this.state.put('trys', this.trys);
  }

  override get className(): string {
    return 'Generator';
  }

  override visit(see: (value: Value) => void): number {
    for (const value of [this.self, this.body, this.state, this.delegate]) see(value);
    return super.visit(see);
  }

  resume(op: Op, value: Value): Obj {
    if (this.running) return throwError('TypeError', 'Generator is already running');
    if (!this.started && op !== Op.Next) this.state = undefined;
    this.started = true;
    return this.run([op, value]);
  }

  private run(first: Instruction): Obj {
    let op = first;
    while (this.state) {
      machine.tick();
      const { frame, depth } = machine;
      this.running = true;
      try {
        const next = this.advance(op, this.state);
        if (next instanceof Obj) return next;
        op = next;
      } catch (error) {
        op = [Op.Catch, caught(error).value];
        machine.restore(frame, depth);
        this.delegate = undefined;
      } finally {
        this.running = false;
      }
    }
    if (op[0] & 5) throw new GuestThrow(op[1]);
    return iteratorResult(op[0] ? op[1] : undefined, true);
  }

  /** One turn: a result to give, or the next instruction. */
  private advance(given: Instruction, state: StateObj): Obj | Instruction {
    let op = given;
    if (this.delegate) {
      const answered = this.ask(this.delegate, op);
      if (answered instanceof Obj) return answered;
      op = answered;
      this.delegate = undefined;
    }
    switch (op[0]) {
      case Op.Next:
      case Op.Throw:
        state.sent = op;
        break;
      case Op.Yield:
        this.label = this.label + 1;
        return iteratorResult(op[1], false);
      case Op.YieldAll:
        this.label = this.label + 1;
        this.delegate = op[1] as Obj;
        return [Op.Next, undefined];
      case Op.EndFinally:
        this.trys.elements.pop();
        this.trys.length--;
        return this.ops.pop()!;
      default: {
        const elsewhere = this.jump(op, state);
        if (elsewhere) return elsewhere;
      }
    }
    return instruction(this.body.call(this.self, [state]));
  }

  private get label(): number {
    return this.state!.props.get('label')!.value as number;
  }
  private set label(value: number) {
    this.state!.props.get('label')!.value = value;
  }

  /** `break`, `return` and errors: through the regions around. Returns an instruction to take up instead of the body. */
  private jump(op: Instruction, state: StateObj): Instruction | undefined {
    const region = this.trys.elements.at(-1) as ArrayObj | undefined;
    const at = (index: number): number | undefined => region?.elements[index] as number | undefined;
    if (!region && (op[0] === Op.Catch || op[0] === Op.Return)) {
      this.state = undefined;
      return op;
    }
    const inside = (limit: number | undefined): boolean => typeof limit === 'number' && this.label < limit;
    if (op[0] === Op.Break && (!region || ((op[1] as number) > at(0)! && (op[1] as number) < at(3)!))) {
      this.label = op[1] as number;
    } else if (op[0] === Op.Catch && inside(at(1))) {
      this.label = at(1)!;
      state.sent = op;
    } else if (inside(at(2))) {
      this.label = at(2)!;
      this.ops.push(op);
    } else {
      if (typeof at(2) === 'number') this.ops.pop();
      this.trys.elements.pop();
      this.trys.length--;
      return op;
    }
    return undefined;
  }

  /** `yield*`: hands the instruction to the iterator. */
  private ask(iterator: Obj, [op, value]: Instruction): Obj | Instruction {
    if (op === Op.Throw) return this.askToThrow(iterator, value);
    const method = op === Op.Return ? getMethod(iterator, 'return') : iterator.get('next');
    if (op === Op.Return && !method) return [Op.Return, value];
    const result = call(method, iterator, [value]);
    if (!(result instanceof Obj)) return throwError('TypeError', 'Iterator result is not an object');
    return result.get('done') ? [op, result.get('value')] : result;
  }

  private askToThrow(iterator: Obj, value: Value): Obj | Instruction {
    const method = getMethod(iterator, 'throw');
    if (!method) {
      const close = getMethod(iterator, 'return');
      this.delegate = undefined;
      if (close) close.call(iterator, []);
      return throwError('TypeError', 'The iterator does not provide a throw method');
    }
    const result = method.call(iterator, [value]);
    if (!(result instanceof Obj)) return throwError('TypeError', 'Iterator result is not an object');
    return result.get('done') ? [Op.Next, result.get('value')] : result;
  }
}

function instruction(answer: Value): Instruction {
  const { elements } = answer as ArrayObj;
  return [elements[0] as Op, elements[1]];
}

/** Generators, and `__generator` and `__awaiter` for the compiler's output. */
export function installGenerators(global: Obj): void {
  generatorProto = new Obj(machine.intrinsics.iteratorProto);
  stateProto = new Obj(null);
  defineMethod(stateProto, 'sent', 0, (self) => {
    const [op, value] = (self as StateObj).sent;
    if (op & 1) throw new GuestThrow(value);
    // A caught error arrives under the code Catch; both times the value is what was sent.
    return value;
  });
  const generatorOf = (self: Value): GeneratorObj =>
    self instanceof GeneratorObj ? self : throwError('TypeError', 'next method called on incompatible receiver');
  defineMethods(generatorProto, {
    next: [1, (self, [value]) => generatorOf(self).resume(Op.Next, value)],
    return: [1, (self, [value]) => generatorOf(self).resume(Op.Return, value)],
    throw: [1, (self, [value]) => generatorOf(self).resume(Op.Throw, value)],
  });
  defineTag(generatorProto, 'Generator');
  defineMethods(global, {
    __generator: [2, (_self, [self, body]) => new GeneratorObj(self, body as FnObj)],
    __awaiter: [4, (_self, [self, args, , body]) => runAsync(self, args, body as FnObj)],
  });
}

/** An async function: its generator is resumed with what each awaited promise settles with. */
function runAsync(self: Value, args: Value, body: FnObj): Value {
  const promise = newPromise();
  const made = attempt(() => body.call(self, args instanceof ArrayObj ? args.elements.slice() : []));
  if ('thrown' in made) {
    promise.reject(made.thrown);
    return promise;
  }
  const generator = made.value as GeneratorObj;
  const step = (op: Op, value: Value): void => {
    const result = attempt(() => generator.resume(op, value));
    if ('thrown' in result) return promise.reject(result.thrown);
    if (getMember(result.value, 'done')) return promise.resolve(getMember(result.value, 'value'));
    const awaited = attempt(() => promiseFor(getMember(result.value, 'value')));
    if ('thrown' in awaited) return step(Op.Throw, awaited.thrown);
    (awaited.value as ReturnType<typeof newPromise>).react(
      (settled) => step(Op.Next, settled),
      (reason) => step(Op.Throw, reason),
      [generator, promise],
    );
  };
  step(Op.Next, undefined);
  return promise;
}
