import { construct, describe, toKey } from '../convert.js';
import { requireNew } from '../evaluator/functions.js';
import { isCallable, newArray, newObject, throwError } from '../machine.js';
import { type Definition, FnObj, type Key, Obj, type Prop, type Value } from '../values.js';
import { defineMethods, defineNamespace, type Methods } from './define.js';
import { listFromArrayLike } from './function.js';
import { fromProp, toDefinition } from './object.js';
import { NativeFn } from '../evaluator/functions.js';
import { HIDDEN } from '../values.js';

function target(value: Value): Obj {
  return value instanceof Obj ? value : throwError('TypeError', 'Reflect method called on non-object');
}

/** `Reflect` and `Proxy` (ECMA-262 28.1, 28.2). */
export function installReflect(global: Obj): void {
  defineNamespace(global, 'Reflect', REFLECT);
  installProxy(global);
}

const REFLECT: Methods = {
  apply: [
    3,
    (_self, [callee, receiver, args]) => {
      if (!isCallable(callee)) return throwError('TypeError', `${describe(callee)} is not a function`);
      return callee.call(receiver, listFromArrayLike(target(args)));
    },
  ],
  construct: [
    2,
    (_self, [callee, args, newTarget = callee]) => {
      if (!(newTarget instanceof FnObj) || !newTarget.construct)
        return throwError('TypeError', 'The new target is no constructor');
      return construct(callee, listFromArrayLike(target(args)), newTarget);
    },
  ],
  defineProperty: [
    3,
    (_self, [object, key, definition]) => target(object).define(toKey(key), toDefinition(definition)),
  ],
  deleteProperty: [2, (_self, [object, key]) => target(object).delete(toKey(key))],
  get: [
    2,
    (_self, [object, key, ...receiver]) => target(object).get(toKey(key), receiver.length > 0 ? receiver[0] : object),
  ],
  getOwnPropertyDescriptor: [2, (_self, [object, key]) => fromProp(target(object).getOwn(toKey(key)))],
  getPrototypeOf: [1, (_self, [object]) => target(object).getPrototype()],
  has: [2, (_self, [object, key]) => target(object).has(toKey(key))],
  isExtensible: [1, (_self, [object]) => target(object).isExtensible()],
  ownKeys: [1, (_self, [object]) => newArray(target(object).keys())],
  preventExtensions: [1, (_self, [object]) => target(object).preventExtensions()],
  set: [
    3,
    (_self, [object, key, value, ...receiver]) =>
      target(object).set(toKey(key), value, receiver.length > 0 ? receiver[0] : object),
  ],
  setPrototypeOf: [
    2,
    (_self, [object, proto]) => {
      if (!(proto instanceof Obj) && proto !== null)
        return throwError('TypeError', 'Object prototype may only be an Object or null');
      return target(object).setPrototype(proto);
    },
  ],
};

function installProxy(global: Obj): void {
  const proxy = new NativeFn(
    'Proxy',
    2,
    (_self, [object, handler], newTarget) => makeProxy(object, handler, requireNew(newTarget, 'Proxy')),
    true,
  );
  defineMethods(proxy, {
    revocable: [
      2,
      (_self, [object, handler]) => {
        const made = makeProxy(object, handler, undefined);
        const result = newObject();
        result.put('proxy', made);
        const revoke = new NativeFn('', 0, () => made.revoke(), false);
        result.put('revoke', revoke);
        return result;
      },
    ],
  });
  global.put('Proxy', proxy, HIDDEN);
}

function makeProxy(object: Value, handler: Value, _target: FnObj | undefined): ProxyObj {
  if (!(object instanceof Obj) || !(handler instanceof Obj))
    return throwError('TypeError', 'Cannot create proxy with a non-object as target or handler');
  return new ProxyObj(object, handler);
}

/** A proxy. Being a function too, it may be called where its target may. */
class ProxyObj extends FnObj {
  override readonly exotic = true;
  private handler: Obj | undefined;

  constructor(
    public proxyTarget: Obj,
    handler: Obj,
  ) {
    super(null);
    this.handler = handler;
    if (proxyTarget instanceof FnObj && proxyTarget.construct)
      this.construct = (args, newTarget) => {
        const made = this.trap('construct', [newArray(args), newTarget === this ? this : newTarget], () =>
          (proxyTarget as FnObj).construct!(args, newTarget === this ? (proxyTarget as FnObj) : newTarget),
        );
        return made instanceof Obj ? made : throwError('TypeError', 'proxy [[Construct]] must return an object');
      };
  }

  revoke(): undefined {
    this.handler = undefined;
  }

  override get className(): string {
    return this.proxyTarget.className;
  }
  override get text(): string {
    return 'function () { [native code] }';
  }
  override visit(see: (value: Value) => void): number {
    see(this.proxyTarget);
    see(this.handler);
    return super.visit(see);
  }

  private trap<T>(name: string, args: Value[], otherwise: () => T): Value | T {
    if (!this.handler) return throwError('TypeError', `Cannot perform '${name}' on a proxy that has been revoked`);
    const method = this.handler.get(name);
    if (method === undefined || method === null) return otherwise();
    if (!isCallable(method)) return throwError('TypeError', `${name} trap is not a function`);
    return method.call(this.handler, [this.proxyTarget, ...args]);
  }

  override getOwn(key: Key): Prop | undefined {
    const plain = (): Prop | undefined => this.proxyTarget.getOwn(key);
    const result = this.trap('getOwnPropertyDescriptor', [key], () => ({ plain: plain() }));
    if (result !== null && typeof result === 'object' && 'plain' in result) return result.plain;
    if (result === undefined) return undefined;
    const holder = new Obj(null);
    holder.define(key, toDefinition(result as Value));
    return holder.getOwn(key);
  }

  override define(key: Key, definition: Definition): boolean {
    const shown = (): Value => {
      const object = newObject();
      for (const [name, value] of Object.entries(definition)) object.put(name, value as Value);
      return object;
    };
    return !!this.trap('defineProperty', [key, shown()], () => this.proxyTarget.define(key, definition));
  }

  override has(key: Key): boolean {
    return !!this.trap('has', [key], () => this.proxyTarget.has(key));
  }

  override get(key: Key, receiver: Value = this): Value {
    const value = this.trap('get', [key, receiver], () => this.proxyTarget.get(key, receiver));
    const prop = this.proxyTarget.props.get(key);
    if (prop && prop.flags === 0 && !Object.is(prop.value, value))
      throwError('TypeError', `'get' on proxy: property '${String(key)}' is read-only`);
    return value;
  }

  override set(key: Key, value: Value, receiver: Value = this): boolean {
    return !!this.trap('set', [key, value, receiver], () => this.proxyTarget.set(key, value, receiver));
  }

  override delete(key: Key): boolean {
    return !!this.trap('deleteProperty', [key], () => this.proxyTarget.delete(key));
  }

  override keys(): Key[] {
    const result = this.trap('ownKeys', [], () => ({ plain: this.proxyTarget.keys() }));
    if (result !== null && typeof result === 'object' && 'plain' in result) return result.plain;
    return listFromArrayLike(result as Value).map((key) =>
      typeof key === 'string' || typeof key === 'symbol'
        ? key
        : throwError('TypeError', `${describe(key)} is not a valid property name`),
    );
  }

  override getPrototype(): Obj | null {
    const proto = this.trap('getPrototypeOf', [], () => this.proxyTarget.getPrototype());
    return proto instanceof Obj ? proto : null;
  }

  override setPrototype(proto: Obj | null): boolean {
    return !!this.trap('setPrototypeOf', [proto], () => this.proxyTarget.setPrototype(proto));
  }

  override isExtensible(): boolean {
    return !!this.trap('isExtensible', [], () => this.proxyTarget.isExtensible());
  }

  override preventExtensions(): boolean {
    return !!this.trap('preventExtensions', [], () => this.proxyTarget.preventExtensions());
  }

  override call(self: Value, args: Value[]): Value {
    if (!(this.proxyTarget instanceof FnObj)) return throwError('TypeError', 'proxy is not a function');
    const { proxyTarget } = this;
    return this.trap('apply', [self, newArray(args)], () => proxyTarget.call(self, args));
  }
}
