import { ArrayObj, HOLE } from '../arrays.js';
import { call, getMember, getMethod, lengthOf, toKey, toObject } from '../convert.js';
import { machine, newArray, newObject, throwError } from '../machine.js';
import { FnObj, HIDDEN, type Key, Obj, type Value } from '../values.js';
import { WeakObj } from './collections.js';
import { defineMethods, type Methods } from './define.js';
import { closeIterator, getIterator, stepIterator, toList } from './iterate.js';
import { arrayIterator } from './iterators.js';
import { copyOwn } from './object.js';

/** What TypeScript's ES5 output calls (with `noEmitHelpers`): one copy in the realm instead of one in each script. */
export function installHelpers(global: Obj): void {
  defineMethods(global, HELPERS);
}

/** The rest is rare and asynchronous: ES5, run once when the realm is built. After tslib (0BSD). */
export const HELPER_SOURCE = `
(function (global, define, Promise, asyncIterator, objectCreate) {
  function Await(value) { this.v = value; }
  function __await(value) { return this instanceof Await ? (this.v = value, this) : new Await(value); }
  var asyncProto = {};
  define(asyncProto, asyncIterator, function () { return this; });
  function __asyncGenerator(thisArg, args, generator) {
    var g = generator.apply(thisArg, args || []), queue = [], i = objectCreate(asyncProto);
    function verb(name, wrap) {
      var f = function (v) {
        return new Promise(function (a, b) { if (queue.push([name, v, a, b]) === 1) resume(name, v); });
      };
      define(i, name, wrap ? wrap(f) : f);
    }
    function resume(name, v) {
      var r;
      try { r = g[name](v); } catch (e) { settle(queue[0][3], e); return; }
      if (r.value instanceof Await) {
        Promise.resolve(r.value.v).then(function (x) { resume('next', x); }, function (e) { resume('throw', e); });
      } else settle(queue[0][2], r);
    }
    function settle(f, v) { f(v); queue.shift(); if (queue.length) resume(queue[0][0], queue[0][1]); }
    verb('next');
    verb('throw');
    verb('return', function (f) {
      return function (v) {
        return Promise.resolve(v).then(f, function (e) { return i['throw'](e); });
      };
    });
    return i;
  }
  function __asyncDelegator(o) {
    var i = {}, waiting = false;
    function verb(name) {
      if (!o[name]) return;
      i[name] = function (v) {
        waiting = !waiting;
        return waiting ? { value: new Await(o[name](v)), done: false } : v;
      };
    }
    verb('next');
    verb('throw');
    verb('return');
    if (!i['throw']) i['throw'] = function (e) { throw e; };
    define(i, Symbol.iterator, function () { return this; });
    return i;
  }
  function __asyncValues(o) {
    var method = o[asyncIterator];
    if (method) return method.call(o);
    var inner = __values(o), i = {};
    function verb(name) {
      i[name] = inner[name] && function (v) {
        return new Promise(function (resolve, reject) {
          var r = inner[name](v);
          Promise.resolve(r.value).then(function (value) { resolve({ value: value, done: r.done }); }, reject);
        });
      };
    }
    verb('next');
    verb('throw');
    verb('return');
    define(i, asyncIterator, function () { return this; });
    return i;
  }
  define(global, '__await', __await);
  define(global, '__asyncGenerator', __asyncGenerator);
  define(global, '__asyncDelegator', __asyncDelegator);
  define(global, '__asyncValues', __asyncValues);
})(this, function (object, key, value) {
  Object.defineProperty(object, key, { value: value, writable: true, configurable: true });
}, Promise, Symbol.asyncIterator, Object.create);
`;

function extend(derived: Value, base: Value): Value {
  if (!(derived instanceof FnObj)) return undefined;
  if (base !== null && (!(base instanceof FnObj) || !base.construct))
    return throwError('TypeError', 'Class extends value is not a constructor or null');
  if (base) derived.setPrototype(base);
  const baseProto = base ? base.get('prototype') : null;
  if (!(baseProto instanceof Obj) && baseProto !== null)
    return throwError('TypeError', 'Class extends value does not have valid prototype property');
  const proto = new Obj(baseProto);
  proto.put('constructor', derived, HIDDEN);
  derived.define('prototype', { value: proto });
  return undefined;
}

function values(value: Value): Value {
  const method = value === undefined || value === null ? undefined : getMethod(value, Symbol.iterator);
  if (method) return method.call(value, []);
  if (value instanceof Obj && typeof value.get('length') === 'number') return arrayIterator(value, 'values');
  return throwError('TypeError', 'Object is not iterable.');
}

function read(value: Value, count: Value): Value {
  if (value === undefined || value === null) return throwError('TypeError', `${String(value)} is not iterable`);
  if (typeof count !== 'number') return newArray(toList(value));
  const record = getIterator(value);
  const items: Value[] = [];
  while (items.length < count) {
    const result = stepIterator(record);
    if (!result) return newArray(items);
    items.push(result.get('value'));
  }
  closeIterator(record);
  return newArray(items);
}

function spreadArray(to: Value, from: Value): Value {
  const head = to as ArrayObj;
  const tail = from instanceof Obj ? from : toObject(from);
  const length = lengthOf(tail);
  machine.charge((head.length + length) * 16);
  machine.spend((head.length + length) >> 2);
  const items = head.elements.slice();
  for (let index = 0; index < length; index++) {
    const element = tail instanceof ArrayObj ? tail.elements[index] : HOLE;
    items.push(element === HOLE || element === undefined ? tail.get(String(index)) : element);
  }
  return newArray(items);
}

function requireBrand(receiver: Value, state: Value, accessor: Value, action: string): void {
  const known = state instanceof WeakObj ? state.hasKey(receiver) : receiver === state && accessor !== undefined;
  if (!known) throwError('TypeError', `Cannot ${action} private member from an object whose class did not declare it`);
}

function privateGet(receiver: Value, state: Value, kind: Value, accessor: Value): Value {
  if (kind === 'a' && !accessor) return throwError('TypeError', 'Private accessor was defined without a getter');
  requireBrand(receiver, state, accessor, 'read');
  if (kind === 'm') return accessor;
  if (kind === 'a') return call(accessor, receiver, []);
  return accessor ? getMember(accessor, 'value') : (state as WeakObj).valueFor(receiver);
}

function privateSet(receiver: Value, state: Value, value: Value, kind: Value, accessor: Value): Value {
  if (kind === 'm') return throwError('TypeError', 'Private method is not writable');
  if (kind === 'a' && !accessor) return throwError('TypeError', 'Private accessor was defined without a setter');
  requireBrand(receiver, state, accessor, 'write');
  if (kind === 'a') call(accessor, receiver, [value]);
  else if (accessor instanceof Obj) accessor.set('value', value);
  else (state as WeakObj).keep(receiver as Obj, value);
  return value;
}

function templateObject(cooked: Value, raw: Value): Value {
  const template = cooked as ArrayObj;
  template.put('raw', raw, 0);
  for (const list of [raw as ArrayObj, template]) {
    list.preventExtensions();
    for (const key of list.keys())
      list.define(key, { configurable: key === 'length' ? undefined : false, writable: false });
  }
  return template;
}

const HELPERS: Methods = {
  __assign: [
    2,
    (_self, [target, ...sources]) => {
      for (const source of sources) copyOwn(source, target as Obj, undefined, false);
      return target;
    },
  ],
  __extends: [2, (_self, [derived, base]) => extend(derived, base)],
  __rest: [
    2,
    (_self, [source, names]) => {
      const rest = newObject();
      copyOwn(source, rest, new Set(toList(names) as Key[]), false);
      return rest;
    },
  ],
  __read: [2, (_self, [value, count]) => read(value, count)],
  __spreadArray: [3, (_self, [to, from]) => spreadArray(to, from)],
  __values: [1, (_self, [value]) => values(value)],
  __makeTemplateObject: [2, (_self, [cooked, raw]) => templateObject(cooked, raw)],
  __classPrivateFieldGet: [
    4,
    (_self, [receiver, state, kind, accessor]) => privateGet(receiver, state, kind, accessor),
  ],
  __classPrivateFieldSet: [
    5,
    (_self, [receiver, state, value, kind, accessor]) => privateSet(receiver, state, value, kind, accessor),
  ],
  __classPrivateFieldIn: [
    2,
    (_self, [state, receiver]) => {
      if (!(receiver instanceof Obj)) return throwError('TypeError', "Cannot use 'in' operator on non-object");
      return state instanceof WeakObj ? state.hasKey(receiver) : receiver === state;
    },
  ],
  __propKey: [1, (_self, [key]) => (typeof key === 'symbol' ? key : String(toKey(key)))],
  __setFunctionName: [
    3,
    (_self, [target, name, prefix]) => {
      const text = typeof name === 'symbol' ? (name.description ? `[${name.description}]` : '') : (name as string);
      if (target instanceof FnObj)
        target.define('name', { value: typeof prefix === 'string' ? `${prefix} ${text}` : text, configurable: true });
      return target;
    },
  ],
};
