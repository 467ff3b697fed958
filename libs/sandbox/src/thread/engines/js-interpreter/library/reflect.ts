import { construct, describe, toKey } from '../convert.js';
import { requireNew } from '../evaluator/functions.js';
import { isCallable, newArray, newObject, throwError } from '../machine.js';
import { FnObj, Obj, type Value } from '../values.js';
import { defineMethods, defineNamespace, type Methods } from './define.js';
import { listFromArrayLike } from './function.js';
import { fromProp, toDefinition } from './object.js';
import { ProxyFn, ProxyObj } from './proxy.js';
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
    (_self, [object, handler], newTarget) => requireNew(newTarget, 'Proxy') && makeProxy(object, handler),
    true,
  );
  defineMethods(proxy, {
    revocable: [
      2,
      (_self, [object, handler]) => {
        const made = makeProxy(object, handler);
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

function makeProxy(object: Value, handler: Value): ProxyObj | ProxyFn {
  if (!(object instanceof Obj) || !(handler instanceof Obj))
    return throwError('TypeError', 'Cannot create proxy with a non-object as target or handler');
  return object instanceof FnObj ? new ProxyFn(object, handler) : new ProxyObj(object, handler);
}
