import { call, describe, getMember, invoke } from '../convert.js';
import { protoFor, requireNew } from '../evaluator/functions.js';
import { caught, GuestThrow, isCallable, machine, makeError, newArray, newObject, throwError } from '../machine.js';
import { FnObj, Obj, type Value } from '../values.js';
import { defineClass, defineMethod, defineMethods, defineSpecies, defineTag, nativeFunction } from './define.js';
import { iterate } from './iterate.js';

type Reaction = (value: Value) => void;

/** What to do with a settled promise, and the guest's values that it keeps. */
interface Reactions {
  readonly fulfilled: Reaction;
  readonly rejected: Reaction;
  readonly keeps: readonly Value[];
}

/** A waiting reaction: its closures, and what `Job` is made of. */
const REACTION_BYTES = 400;

/** A promise (ECMA-262 27.2). Reactions become jobs of the machine, which the engine drains. */
export class PromiseObj extends Obj {
  state: 'pending' | 'fulfilled' | 'rejected' = 'pending';
  value: Value = undefined;
  private reactions: Reactions[] = [];

  override get className(): string {
    return 'Promise';
  }

  override visit(see: (value: Value) => void): number {
    see(this.value);
    for (const { keeps } of this.reactions) for (const value of keeps) see(value);
    return super.visit(see) + this.reactions.length * REACTION_BYTES;
  }

  /** Calls one of the two in a job, once the promise is settled. */
  react(fulfilled: Reaction, rejected: Reaction, keeps: readonly Value[] = []): void {
    machine.charge(REACTION_BYTES);
    if (this.state === 'pending') this.reactions.push({ fulfilled, rejected, keeps });
    else this.enqueue({ fulfilled, rejected, keeps });
  }

  /** Settles with what another promise settles with, or with a plain value. */
  resolve(value: Value): void {
    if (value === this) return this.reject(makeError('TypeError', 'Chaining cycle detected for promise'));
    if (!(value instanceof Obj)) return this.settle('fulfilled', value);
    const then = attempt(() => value.get('then'));
    if ('thrown' in then) return this.reject(then.thrown);
    const method = then.value;
    if (!isCallable(method)) return this.settle('fulfilled', value);
    const run = (): void => {
      const { resolve, reject } = resolvers(this);
      const called = attempt(() => method.call(value, [resolve, reject]));
      if ('thrown' in called) reject.call(undefined, [called.thrown]);
    };
    machine.charge(REACTION_BYTES);
    machine.jobs.push({ run, keeps: [this, value, method] });
  }

  reject(reason: Value): void {
    this.settle('rejected', reason);
  }

  private settle(state: 'fulfilled' | 'rejected', value: Value): void {
    if (this.state !== 'pending') return;
    this.state = state;
    this.value = value;
    for (const reaction of this.reactions) this.enqueue(reaction);
    this.reactions = [];
  }

  private enqueue({ fulfilled, rejected, keeps }: Reactions): void {
    const run = (): void => (this.state === 'fulfilled' ? fulfilled : rejected)(this.value);
    machine.jobs.push({ run, keeps: [this, ...keeps] });
  }
}

/** What became of guest code: its value, or what it threw. */
export function attempt(run: () => Value): { value: Value } | { thrown: Value } {
  const { frame, depth } = machine;
  try {
    return { value: run() };
  } catch (error) {
    const { value } = caught(error);
    machine.restore(frame, depth);
    return { thrown: value };
  }
}

/** The two functions an executor gets: only the first call of either counts. */
export function resolvers(promise: PromiseObj): { resolve: FnObj; reject: FnObj } {
  let done = false;
  const once = (act: Reaction): FnObj =>
    nativeFunction('', 1, (_self, [value]) => {
      if (!done) {
        done = true;
        act(value);
      }
      return undefined;
    });
  return { resolve: once((value) => promise.resolve(value)), reject: once((reason) => promise.reject(reason)) };
}

let proto: Obj;

/** A pending promise of the realm's own class. */
export function newPromise(): PromiseObj {
  return new PromiseObj(proto);
}

/** `Promise.resolve(value)` for the realm's own class. */
export function promiseFor(value: Value): PromiseObj {
  if (value instanceof PromiseObj && value.get('constructor') === proto.props.get('constructor')?.value) return value;
  const promise = newPromise();
  promise.resolve(value);
  return promise;
}

/** A promise of whatever class, with its functions (NewPromiseCapability). */
interface Capability {
  readonly promise: Value;
  readonly resolve: Value;
  readonly reject: Value;
}

function capability(constructor: Value): Capability {
  if (!(constructor instanceof FnObj) || !constructor.construct)
    return throwError('TypeError', `${describe(constructor)} is not a constructor`);
  let resolve: Value;
  let reject: Value;
  const executor = nativeFunction('', 2, (_self, [first, second]) => {
    if (resolve !== undefined || reject !== undefined)
      return throwError('TypeError', 'Promise executor has already been invoked');
    resolve = first;
    reject = second;
    return undefined;
  });
  const promise = constructor.construct([executor], constructor);
  if (!isCallable(resolve) || !isCallable(reject))
    return throwError('TypeError', 'Promise resolve or reject function is not callable');
  return { promise, resolve, reject };
}

/** `Promise` (ECMA-262 27.2). */
export function installPromise(global: Obj): void {
  proto = new Obj(machine.intrinsics.objectProto);
  const constructor = defineClass(global, 'Promise', 1, proto, (_self, [executor], target) => {
    const derived = requireNew(target, 'Promise');
    if (!isCallable(executor))
      return throwError('TypeError', `Promise resolver ${describe(executor)} is not a function`);
    const promise = new PromiseObj(protoFor(derived, proto));
    const { resolve, reject } = resolvers(promise);
    const called = attempt(() => executor.call(undefined, [resolve, reject]));
    if ('thrown' in called) reject.call(undefined, [called.thrown]);
    return promise;
  });
  defineSpecies(constructor);
  defineMethods(constructor, {
    resolve: [1, (self, [value]) => resolveWith(self, value)],
    reject: [
      1,
      (self, [reason]) => {
        const made = capability(self);
        call(made.reject, undefined, [reason]);
        return made.promise;
      },
    ],
    withResolvers: [
      0,
      (self) => {
        const made = capability(self);
        const result = newObject();
        for (const name of ['promise', 'resolve', 'reject'] as const) result.put(name, made[name]);
        return result;
      },
    ],
    all: [1, (self, [items]) => combine(self, items, ALL)],
    allSettled: [1, (self, [items]) => combine(self, items, ALL_SETTLED)],
    any: [1, (self, [items]) => combine(self, items, ANY)],
    race: [1, race],
  });
  defineMethod(proto, 'then', 2, then);
  defineMethods(proto, {
    catch: [1, (self, [rejected]) => invoke(self, 'then', [undefined, rejected])],
    finally: [1, lastly],
  });
  defineTag(proto, 'Promise');
}

function resolveWith(constructor: Value, value: Value): Value {
  if (value instanceof PromiseObj && value.get('constructor') === constructor) return value;
  const made = capability(constructor);
  call(made.resolve, undefined, [value]);
  return made.promise;
}

function then(self: Value, [fulfilled, rejected]: Value[]): Value {
  if (!(self instanceof PromiseObj))
    return throwError('TypeError', 'Promise.prototype.then called on a value that is no promise');
  const made = capability(speciesOf(self));
  const keeps = [made.promise, made.resolve, made.reject, fulfilled, rejected];
  self.react(job(made, fulfilled, made.resolve), job(made, rejected, made.reject), keeps);
  return made.promise;
}

function speciesOf(promise: Obj): Value {
  const constructor = promise.get('constructor');
  if (constructor === undefined) return proto.get('constructor');
  const species = getMember(constructor, Symbol.species);
  return species === undefined || species === null ? proto.get('constructor') : species;
}

function job(made: Capability, handler: Value, passOn: Value): Reaction {
  return (value) => {
    if (!isCallable(handler)) return void call(passOn, undefined, [value]);
    const result = attempt(() => handler.call(undefined, [value]));
    if ('thrown' in result) call(made.reject, undefined, [result.thrown]);
    else call(made.resolve, undefined, [result.value]);
  };
}

function lastly(self: Value, [callback]: Value[]): Value {
  if (!(self instanceof Obj)) return throwError('TypeError', 'Promise.prototype.finally called on a non-object');
  if (!isCallable(callback)) return invoke(self, 'then', [callback, callback]);
  const constructor = speciesOf(self);
  const after = (give: (value: Value) => Value): FnObj =>
    nativeFunction('', 1, (_self, [value]) => {
      const waited = resolveWith(constructor, callback.call(undefined, []));
      return invoke(waited, 'then', [nativeFunction('', 0, () => give(value))]);
    });
  return invoke(self, 'then', [after((value) => value), after(rethrow)]);
}

function rethrow(value: Value): never {
  throw new GuestThrow(value);
}

/** How `all` and its kin gather: what an element's result becomes, and which way ends the whole at once. */
interface Gathering {
  readonly fulfilled: ((value: Value) => Value) | undefined;
  readonly rejected: ((reason: Value) => Value) | undefined;
  readonly finish: (made: Capability, values: Value[]) => void;
}

function settled(status: string, name: string): (value: Value) => Value {
  return (value) => {
    const result = newObject();
    result.put('status', status);
    result.put(name, value);
    return result;
  };
}

const resolveAll = (made: Capability, values: Value[]): void => void call(made.resolve, undefined, [newArray(values)]);
const ALL: Gathering = { fulfilled: (value) => value, rejected: undefined, finish: resolveAll };
const ALL_SETTLED: Gathering = {
  fulfilled: settled('fulfilled', 'value'),
  rejected: settled('rejected', 'reason'),
  finish: resolveAll,
};
const ANY: Gathering = {
  fulfilled: undefined,
  rejected: (reason) => reason,
  finish: (made, errors) => {
    const constructor = machine.intrinsics.global.get('AggregateError') as FnObj;
    const error = constructor.construct!([newArray(errors), 'All promises were rejected'], constructor);
    call(made.reject, undefined, [error]);
  },
};

function combine(constructor: Value, items: Value, gathering: Gathering): Value {
  const made = capability(constructor);
  const gathered = attempt(() => {
    gather(constructor, items, gathering, made);
    return undefined;
  });
  if ('thrown' in gathered) call(made.reject, undefined, [gathered.thrown]);
  return made.promise;
}

function gather(constructor: Value, items: Value, { fulfilled, rejected, finish }: Gathering, made: Capability): void {
  const resolve = promiseResolve(constructor);
  const values: Value[] = [];
  let left = 1;
  const done = (): void => {
    if (--left === 0) finish(made, values);
  };
  iterate(items, (item) => {
    const index = values.push(undefined) - 1;
    left++;
    let called = false;
    const store = (show: (value: Value) => Value): FnObj =>
      nativeFunction('', 1, (_self, [value]) => {
        if (called) return undefined;
        called = true;
        values[index] = show(value);
        done();
        return undefined;
      });
    const promise = resolve.call(constructor, [item]);
    invoke(promise, 'then', [fulfilled ? store(fulfilled) : made.resolve, rejected ? store(rejected) : made.reject]);
  });
  done();
}

function promiseResolve(constructor: Value): FnObj {
  const resolve = getMember(constructor, 'resolve');
  return isCallable(resolve) ? resolve : throwError('TypeError', 'Promise resolve is not a function');
}

function race(constructor: Value, [items]: Value[]): Value {
  const made = capability(constructor);
  const raced = attempt(() => {
    const resolve = promiseResolve(constructor);
    iterate(items, (item) => void invoke(resolve.call(constructor, [item]), 'then', [made.resolve, made.reject]));
    return undefined;
  });
  if ('thrown' in raced) call(made.reject, undefined, [raced.thrown]);
  return made.promise;
}
