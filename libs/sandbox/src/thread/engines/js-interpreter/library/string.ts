import {
  BoxObj,
  describe,
  getMember,
  getMethod,
  invoke,
  lengthOf,
  toInteger,
  toNumber,
  toObject,
  toRelative,
  toText,
} from '../convert.js';
import { type Native, protoFor } from '../evaluator/functions.js';
import { isCallable, machine, newArray, throwError } from '../machine.js';
import { Obj, type Value } from '../values.js';
import { defineClass, defineMethod, defineMethods, type Methods } from './define.js';
import { makeIterator } from './iterators.js';
import { expandReplacement, newRegExp, RegExpObj } from './regexp.js';
import { ownText } from './texts.js';

/** `String` and `String.prototype` (ECMA-262 22.1). */
export function installString(global: Obj): void {
  const proto = machine.intrinsics.primitiveProtos.string;
  const constructor = defineClass(global, 'String', 1, proto, (_self, args, target) => {
    const [value] = args;
    const text = args.length === 0 ? '' : !target && typeof value === 'symbol' ? value.toString() : toText(value);
    return target ? new BoxObj(protoFor(target, proto), text) : text;
  });
  defineMethods(constructor, STATIC);
  defineMethods(proto, PROTO);
  for (const [name, [length, method]] of Object.entries(HOST_METHODS))
    defineMethod(proto, name.replace('()', ''), length, hostMethod(method));
  for (const name of ['toString', 'valueOf']) defineMethod(proto, name, 0, thisText);
  defineMethod(proto, Symbol.iterator, 0, iterator);
  proto.store('trimLeft', proto.getOwn('trimStart')!);
  proto.store('trimRight', proto.getOwn('trimEnd')!);
}

function thisText(self: Value): string {
  const value = self instanceof BoxObj ? self.primitive : self;
  return typeof value === 'string' ? value : throwError('TypeError', 'The receiver is no string');
}

/** The receiver as text. */
function textOf(self: Value, method: string): string {
  if (self === undefined || self === null)
    return throwError('TypeError', `String.prototype.${method} called on null or undefined`);
  return toText(self);
}

/** Methods whose arguments are texts and numbers, and whose result is no longer than what goes in. */
type HostMethod = (text: string, args: Value[]) => Value;
const HOST_METHODS: Readonly<Record<string, readonly [number, HostMethod]>> = {
  at: [1, (text, [index]) => text.at(toInteger(index))],
  charAt: [1, (text, [index]) => text.charAt(toInteger(index))],
  charCodeAt: [1, (text, [index]) => text.charCodeAt(toInteger(index))],
  codePointAt: [1, (text, [index]) => text.codePointAt(toInteger(index))],
  endsWith: [
    1,
    (text, [search, end]) => text.endsWith(plainText(search), end === undefined ? undefined : toInteger(end)),
  ],
  includes: [1, (text, [search, from]) => text.includes(plainText(search), toInteger(from))],
  indexOf: [1, (text, [search, from]) => text.indexOf(toText(search), toInteger(from))],
  isWellFormed: [0, (text) => !/[\ud800-\udfff]/u.test(text)],
  lastIndexOf: [
    1,
    (text, [search, from]) => {
      const wanted = toText(search);
      const position = toNumber(from);
      return text.lastIndexOf(wanted, Number.isNaN(position) ? Infinity : position);
    },
  ],
  localeCompare: [
    1,
    (text, [other]) => {
      const [a, b] = [text.normalize(), toText(other).normalize()];
      return a < b ? -1 : a > b ? 1 : 0;
    },
  ],
  normalize: [0, (text, [form]) => normalize(text, form)],
  slice: [
    2,
    (text, [start, end]) => text.slice(toRelative(start, text.length, 0), toRelative(end, text.length, text.length)),
  ],
  startsWith: [1, (text, [search, from]) => text.startsWith(plainText(search), toInteger(from))],
  substr: [
    2,
    (text, [start, length]) => {
      const from = toRelative(start, text.length, 0);
      return text.slice(
        from,
        length === undefined ? text.length : from + Math.max(0, Math.min(toInteger(length), text.length)),
      );
    },
  ],
  substring: [
    2,
    (text, [start, end]) => text.substring(toInteger(start), end === undefined ? text.length : toInteger(end)),
  ],
  toLocaleLowerCase: [0, (text) => text.toLowerCase()],
  toLocaleUpperCase: [0, (text) => text.toUpperCase()],
  toLowerCase: [0, (text) => text.toLowerCase()],
  toUpperCase: [0, (text) => text.toUpperCase()],
  toWellFormed: [0, (text) => text.replace(/[\ud800-\udfff]/gu, '\ufffd')],
  trim: [0, (text) => text.trim()],
  trimEnd: [0, (text) => text.trimEnd()],
  trimStart: [0, (text) => text.trimStart()],
};

function hostMethod(method: HostMethod): Native {
  return (self, args) => {
    const text = textOf(self, 'method');
    machine.spend(text.length >> 9);
    const result = method(text, args);
    if (typeof result !== 'string') return result;
    if (result.length > 64) machine.chargeString(result.length);
    return ownText(result, text);
  };
}

function normalize(text: string, form: Value): string {
  machine.chargeString(text.length * 4);
  const name = form === undefined ? 'NFC' : toText(form);
  if (!['NFC', 'NFD', 'NFKC', 'NFKD'].includes(name))
    return throwError('RangeError', 'The normalization form should be one of NFC, NFD, NFKC, NFKD.');
  return text.normalize(name);
}

/** A search text that must not be a regular expression. */
function plainText(value: Value): string {
  if (value instanceof Obj) {
    const matcher = value.get(Symbol.match);
    if (matcher === undefined ? value instanceof RegExpObj : matcher)
      throwError('TypeError', 'First argument must not be a regular expression');
  }
  return toText(value);
}

function repeat(self: Value, [count]: Value[]): Value {
  const text = textOf(self, 'repeat');
  const times = toInteger(count);
  if (times < 0 || times === Infinity) return throwError('RangeError', `Invalid count value: ${String(times)}`);
  machine.chargeString(text.length * times);
  return text.repeat(text.length === 0 ? 0 : times);
}

function pad(side: 'padStart' | 'padEnd'): Native {
  return (self, [length, filler]) => {
    const text = textOf(self, side);
    const target = Math.min(toInteger(length), Number.MAX_SAFE_INTEGER);
    const fill = filler === undefined ? ' ' : toText(filler);
    if (target <= text.length || fill === '') return text;
    machine.chargeString(target);
    return text[side](target, fill);
  };
}

function concat(self: Value, args: Value[]): Value {
  let result = textOf(self, 'concat');
  for (const arg of args) {
    const text = toText(arg);
    machine.chargeString(result.length + text.length);
    result += text;
  }
  return result;
}

function iterator(self: Value): Value {
  const text = textOf(self, '[Symbol.iterator]');
  let at = 0;
  return makeIterator('String Iterator', text, () => {
    if (at >= text.length) return undefined;
    const value = String.fromCodePoint(text.codePointAt(at)!);
    at += value.length;
    return { value };
  });
}

/** Hands over to the method of a regular expression (or of whatever has such a method). */
function delegate(symbol: symbol, argument: Value, args: Value[]): { value: Value } | undefined {
  if (!(argument instanceof Obj)) return undefined;
  const method = getMethod(argument, symbol);
  return method && { value: method.call(argument, args) };
}

function split(self: Value, [separator, limit]: Value[]): Value {
  const given = textOfDelegate(self, 'split');
  const delegated = delegate(Symbol.split, separator, [self, limit]);
  if (delegated) return delegated.value;
  const text = given();
  const most = limit === undefined ? 4_294_967_295 : toNumber(limit) >>> 0;
  if (most === 0) return newArray([]);
  if (separator === undefined) return newArray([text]);
  const by = toText(separator);
  machine.spend(text.length >> 5);
  // Sixteen million one-character strings abort the process: what the pieces will cost is charged before.
  machine.charge(by === '' ? Math.min(text.length, most) * 16 : Math.min(text.length / by.length, most) * 8);
  const parts = text.split(by, most);
  machine.charge(parts.length * 24);
  return newArray(parts.map((part) => ownText(part, text)));
}

function textOfDelegate(self: Value, method: string): () => string {
  if (self === undefined || self === null) textOf(self, method);
  return () => textOf(self, method);
}

function replace(all: boolean): Native {
  const name = all ? 'replaceAll' : 'replace';
  return (self, [search, replacement]) => {
    const given = textOfDelegate(self, name);
    if (all && search instanceof RegExpObj && !toText(search.get('flags')).includes('g'))
      return throwError('TypeError', 'replaceAll must be called with a global RegExp');
    const delegated = delegate(Symbol.replace, search, [self, replacement]);
    if (delegated) return delegated.value;
    return replaceText(given(), toText(search), replacement, all);
  };
}

function replaceText(text: string, search: string, replacement: Value, all: boolean): string {
  const template = isCallable(replacement) ? undefined : toText(replacement);
  const step = Math.max(1, search.length);
  let result = '';
  let from = 0;
  for (
    let at = text.indexOf(search);
    at >= 0;
    at = all && at + step <= text.length ? text.indexOf(search, at + step) : -1
  ) {
    machine.tick();
    const piece =
      template === undefined && isCallable(replacement)
        ? toText(replacement.call(undefined, [search, at, text]))
        : expandReplacement(template!, text, at, [search], undefined);
    result += text.slice(from, at) + piece;
    machine.chargePart(result.length, piece.length);
    from = at + search.length;
  }
  return ownText(result + text.slice(from), text);
}

function byRegExp(symbol: symbol, name: string, flags: string): Native {
  return (self, [pattern]) => {
    const given = textOfDelegate(self, name);
    if (name === 'matchAll' && pattern instanceof RegExpObj && !toText(pattern.get('flags')).includes('g'))
      return throwError('TypeError', 'String.prototype.matchAll called with a non-global RegExp argument');
    const delegated = delegate(symbol, pattern, [self]);
    if (delegated) return delegated.value;
    const text = given();
    return invoke(newRegExp(pattern === undefined ? '(?:)' : toText(pattern), flags), symbol, [text]);
  };
}

const PROTO: Methods = {
  concat: [1, concat],
  match: [1, byRegExp(Symbol.match, 'match', '')],
  matchAll: [1, byRegExp(Symbol.matchAll, 'matchAll', 'g')],
  padEnd: [2, pad('padEnd')],
  padStart: [2, pad('padStart')],
  repeat: [1, repeat],
  replace: [2, replace(false)],
  replaceAll: [2, replace(true)],
  search: [1, byRegExp(Symbol.search, 'search', '')],
  split: [2, split],
  ...Object.fromEntries(
    [
      ['anchor', 'a', 'name'],
      ['bold', 'b', ''],
      ['fixed', 'tt', ''],
      ['italics', 'i', ''],
      ['link', 'a', 'href'],
      ['small', 'small', ''],
      ['strike', 'strike', ''],
      ['sub', 'sub', ''],
      ['sup', 'sup', ''],
    ].map(([name, tag, attribute]) => [name!, html(name!, tag!, attribute!)]),
  ),
};

/** ECMA-262 annex B: `text.bold()` and the like. */
function html(name: string, tag: string, attribute: string): [number, Native] {
  return [
    attribute ? 1 : 0,
    (self, [value]) => {
      const text = textOf(self, name);
      const quoted = attribute ? ` ${attribute}="${toText(value).replaceAll('"', '&quot;')}"` : '';
      machine.chargeString(text.length + quoted.length + 16);
      return `<${tag}${quoted}>${text}</${tag}>`;
    },
  ];
}

const STATIC: Methods = {
  fromCharCode: [1, (_self, args) => String.fromCharCode(...args.map(toNumber))],
  fromCodePoint: [
    1,
    (_self, args) =>
      args
        .map((value) => {
          const point = toNumber(value);
          if (!Number.isInteger(point) || point < 0 || point > 0x10ffff)
            return throwError('RangeError', `Invalid code point ${describe(value)}`);
          return String.fromCodePoint(point);
        })
        .join(''),
  ],
  raw: [
    1,
    (_self, [template, ...values]) => {
      const parts = toObject(getMember(toObject(template), 'raw'));
      const length = lengthOf(parts);
      let result = '';
      for (let index = 0; index < length; index++) {
        machine.tick();
        result += toText(parts.get(String(index)));
        if (index + 1 < length && index < values.length) result += toText(values[index]);
        machine.chargeString(result.length);
      }
      return result;
    },
  ],
};
