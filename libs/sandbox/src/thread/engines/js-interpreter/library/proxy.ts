import { describe } from '../convert.js';
import { isCallable, newArray, newObject, throwError } from '../machine.js';
import { CONFIGURABLE, type Definition, FnObj, type Key, Obj, type Prop, type Value, WRITABLE } from '../values.js';
import { listFromArrayLike } from './function.js';
import { toDefinition } from './object.js';

/** Marks a result as what happens without a trap. */
class Plain<T> {
  constructor(readonly value: T) {}
}

/** Target and handler of a proxy, and how its traps are called (ECMA-262 10.5). */
class Traps {
  constructor(
    readonly target: Obj,
    public handler: Obj | undefined,
  ) {}

  /** What the trap returned, or `otherwise` where the handler has none. */
  call<T>(name: string, args: Value[], otherwise: () => T): Value | Plain<T> {
    if (!this.handler) return throwError('TypeError', `Cannot perform '${name}' on a proxy that has been revoked`);
    const method = this.handler.get(name);
    if (method === undefined || method === null) return new Plain(otherwise());
    if (!isCallable(method)) return throwError('TypeError', `${name} trap is not a function`);
    return method.call(this.handler, [this.target, ...args]);
  }

  flag(name: string, args: Value[], otherwise: () => boolean): boolean {
    const result = this.call(name, args, otherwise);
    return result instanceof Plain ? result.value : !!result;
  }
}

/** A proxy of an object that cannot be called. */
export class ProxyObj extends Obj {
  override readonly exotic = true;
  private readonly traps: Traps;

  constructor(target: Obj, handler: Obj) {
    super(null);
    this.traps = new Traps(target, handler);
  }

  get proxyTarget(): Obj {
    return this.traps.target;
  }

  revoke(): undefined {
    this.traps.handler = undefined;
  }

  override get className(): string {
    return this.traps.target.className;
  }

  override visit(see: (value: Value) => void): number {
    see(this.traps.target);
    see(this.traps.handler);
    return super.visit(see);
  }

  override getOwn(key: Key): Prop | undefined {
    const result = this.traps.call('getOwnPropertyDescriptor', [key], () => this.traps.target.getOwn(key));
    if (result instanceof Plain) return result.value;
    if (result === undefined) return undefined;
    const holder = new Obj(null);
    holder.define(key, toDefinition(result));
    return holder.getOwn(key);
  }

  override define(key: Key, definition: Definition): boolean {
    const shown = newObject();
    for (const [name, value] of Object.entries(definition)) shown.put(name, value as Value);
    return this.traps.flag('defineProperty', [key, shown], () => this.traps.target.define(key, definition));
  }

  override has(key: Key): boolean {
    return this.traps.flag('has', [key], () => this.traps.target.has(key));
  }

  override get(key: Key, receiver: Value = this): Value {
    const result = this.traps.call('get', [key, receiver], () => this.traps.target.get(key, receiver));
    if (result instanceof Plain) return result.value;
    const prop = this.traps.target.props.get(key);
    if (prop && !(prop.flags & (CONFIGURABLE | WRITABLE)) && !prop.get && !Object.is(prop.value, result))
      throwError('TypeError', `'get' on proxy: property '${String(key)}' is read-only`);
    return result;
  }

  override set(key: Key, value: Value, receiver: Value = this): boolean {
    return this.traps.flag('set', [key, value, receiver], () => this.traps.target.set(key, value, receiver));
  }

  override delete(key: Key): boolean {
    return this.traps.flag('deleteProperty', [key], () => this.traps.target.delete(key));
  }

  override keys(): Key[] {
    const result = this.traps.call('ownKeys', [], () => this.traps.target.keys());
    if (result instanceof Plain) return result.value;
    return listFromArrayLike(result).map((key) =>
      typeof key === 'string' || typeof key === 'symbol'
        ? key
        : throwError('TypeError', `${describe(key)} is not a valid property name`),
    );
  }

  override getPrototype(): Obj | null {
    const result = this.traps.call('getPrototypeOf', [], () => this.traps.target.getPrototype());
    if (result instanceof Plain) return result.value;
    if (!(result instanceof Obj) && result !== null)
      return throwError('TypeError', "'getPrototypeOf' on proxy: trap returned neither object nor null");
    return result;
  }

  override setPrototype(proto: Obj | null): boolean {
    return this.traps.flag('setPrototypeOf', [proto], () => this.traps.target.setPrototype(proto));
  }

  override isExtensible(): boolean {
    return this.traps.flag('isExtensible', [], () => this.traps.target.isExtensible());
  }

  override preventExtensions(): boolean {
    return this.traps.flag('preventExtensions', [], () => this.traps.target.preventExtensions());
  }
}

/** A proxy of a function: all that a `ProxyObj` does, and calls. */
export class ProxyFn extends FnObj {
  override readonly exotic = true;
  declare readonly proxyTarget: Obj;
  declare readonly revoke: () => undefined;
  private readonly traps: Traps;

  constructor(target: FnObj, handler: Obj) {
    super(null);
    this.traps = new Traps(target, handler);
    const make = target.construct?.bind(target);
    if (make) this.construct = (args, newTarget) => this.make(args, newTarget, make);
  }

  override get text(): string {
    return 'function () { [native code] }';
  }

  override call(self: Value, args: Value[]): Value {
    const target = this.traps.target as FnObj;
    const result = this.traps.call('apply', [self, newArray(args)], () => target.call(self, args));
    return result instanceof Plain ? result.value : result;
  }

  private make(args: Value[], newTarget: FnObj, make: NonNullable<FnObj['construct']>): Obj {
    const inner = newTarget === this ? (this.traps.target as FnObj) : newTarget;
    const result = this.traps.call('construct', [newArray(args), newTarget], () => make(args, inner));
    if (result instanceof Plain) return result.value;
    return result instanceof Obj ? result : throwError('TypeError', 'proxy [[Construct]] must return an object');
  }
}

// The two differ only in what can be called; the object model asks `instanceof FnObj` for that.
for (const [name, method] of Object.entries(Object.getOwnPropertyDescriptors(ProxyObj.prototype)))
  if (name !== 'constructor') Object.defineProperty(ProxyFn.prototype, name, method);
