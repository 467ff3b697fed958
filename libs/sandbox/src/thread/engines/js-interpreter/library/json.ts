import { BoxObj, bigintText, getMember, lengthOf, toInteger, toNumber, toText } from '../convert.js';
import { isCallable, machine, newArray, newObject, throwError } from '../machine.js';
import { FnObj, type Key, Obj, PLAIN, Prop, type Value } from '../values.js';
import { defineNamespace } from './define.js';
import { enumerableKeys, isArray } from './object.js';

/** How deep JSON may nest: far below what the thread's stack holds. */
const MAX_DEPTH = 2_000;

/** What the host's own value of a part takes, which lives beside the guest's for a moment. */
const HOST_PART_BYTES = 40;
const [COMMA, BRACKET, BRACE] = [0x2c, 0x5b, 0x7b];

/** `JSON` (ECMA-262 25.5). */
export function installJson(global: Obj): void {
  defineNamespace(global, 'JSON', {
    parse: [2, (_self, [text, reviver]) => parse(toText(text), reviver)],
    stringify: [3, (_self, [value, replacer, space]) => stringify(value, replacer, space)],
  });
}

function parse(text: string, reviver: Value): Value {
  const value = fromJson(text);
  if (!isCallable(reviver)) return value;
  const root = newObject();
  root.put('', value);
  return revive(root, '', reviver);
}

/** The guest's value of a JSON text. @throws the guest's SyntaxError. */
export function fromJson(text: string): Value {
  machine.spend(text.length >> 5);
  machine.charge(text.length + parts(text) * HOST_PART_BYTES);
  let host: unknown;
  try {
    host = JSON.parse(text);
  } catch (error) {
    return throwError('SyntaxError', error instanceof Error ? error.message : 'Invalid JSON');
  }
  return toGuest(host, 0);
}

/** How many values a JSON text holds, at most: commas and opening brackets, those inside of texts too. */
function parts(text: string): number {
  let count = 1;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === COMMA || unit === BRACKET || unit === BRACE) count++;
  }
  return count;
}

/** Takes a tree that `JSON.parse` has just made: no cycles, no accessors, every object used once. */
function toGuest(host: unknown, depth: number): Value {
  if (typeof host !== 'object' || host === null) return host as Value;
  machine.tick();
  if (depth > MAX_DEPTH) return throwError('RangeError', 'Maximum call stack size exceeded');
  if (Array.isArray(host)) return newArray(host.map((element) => toGuest(element, depth + 1)));
  const object = newObject();
  for (const [key, value] of Object.entries(host)) object.store(key, new Prop(toGuest(value, depth + 1), PLAIN));
  return object;
}

function revive(holder: Obj, key: Key, reviver: FnObj): Value {
  const value = holder.get(key);
  if (value instanceof Obj) {
    machine.enter({ name: 'parse', lines: undefined });
    const keys = isArray(value)
      ? Array.from({ length: lengthOf(value) }, (_, index) => String(index))
      : enumerableKeys(value);
    for (const name of keys) {
      const revived = revive(value, name, reviver);
      if (revived === undefined) value.delete(name);
      else value.define(name, { value: revived, writable: true, enumerable: true, configurable: true });
    }
    machine.leave();
  }
  return reviver.call(holder, [key as string, value]);
}

/** The text of a value, or `undefined` where JSON has none for it. */
export function stringify(value: Value, replacer?: Value, space?: Value): string | undefined {
  const holder = newObject();
  holder.put('', value);
  return new Writer(replacer, indentOf(space)).write(holder, '', value);
}

function indentOf(space: Value): string {
  const value = space instanceof BoxObj ? unbox(space) : space;
  if (typeof value === 'number') return ' '.repeat(Math.max(0, Math.min(10, toInteger(value))));
  return typeof value === 'string' ? value.slice(0, 10) : '';
}

class Writer {
  private readonly stack = new Set<Obj>();
  private readonly replace: FnObj | undefined;
  private readonly allowed: readonly string[] | undefined;
  private size = 0;

  constructor(
    replacer: Value,
    private readonly indent: string,
  ) {
    this.replace = isCallable(replacer) ? replacer : undefined;
    this.allowed = isArray(replacer) ? allowedKeys(replacer) : undefined;
  }

  write(holder: Obj, key: string, given: Value): string | undefined {
    machine.tick();
    let value = given;
    if (value instanceof Obj || typeof value === 'bigint') {
      const toJson = getMember(value, 'toJSON');
      if (isCallable(toJson)) value = toJson.call(value, [key]);
    }
    if (this.replace) value = this.replace.call(holder, [key, value]);
    return this.text(value instanceof BoxObj ? unbox(value) : value);
  }

  private text(value: Value): string | undefined {
    if (value instanceof Obj) return isCallable(value) ? undefined : this.nested(value);
    switch (typeof value) {
      case 'string':
        this.grow(value.length);
        return JSON.stringify(value);
      case 'number':
        return Number.isFinite(value) ? String(value) : 'null';
      case 'bigint':
        // As in the contract: values cross as JSON, big integers as strings.
        return `"${bigintText(value)}"`;
      case 'boolean':
      case 'object':
        return String(value);
      default:
        return undefined;
    }
  }

  private nested(value: Obj): string {
    if (this.stack.has(value)) return throwError('TypeError', 'Converting circular structure to JSON');
    if (this.stack.size >= MAX_DEPTH) return throwError('RangeError', 'Maximum call stack size exceeded');
    this.stack.add(value);
    const text = isArray(value) ? this.array(value) : this.object(value);
    this.stack.delete(value);
    return text;
  }

  private array(array: Obj): string {
    const length = lengthOf(array);
    const parts: string[] = [];
    for (let index = 0; index < length; index++) {
      this.grow(1);
      parts.push(this.write(array, String(index), array.get(String(index))) ?? 'null');
    }
    return this.brackets('[', parts, ']');
  }

  private object(object: Obj): string {
    const parts: string[] = [];
    const keys = this.allowed ?? enumerableKeys(object);
    for (const key of keys) {
      const text = this.write(object, key, object.get(key));
      if (text === undefined) continue;
      this.grow(key.length + 4);
      parts.push(`${JSON.stringify(key)}:${this.indent ? ' ' : ''}${text}`);
    }
    return this.brackets('{', parts, '}');
  }

  private brackets(open: string, parts: string[], close: string): string {
    if (parts.length === 0) return open + close;
    if (!this.indent) return open + parts.join(',') + close;
    const outer = `\n${this.indent.repeat(this.stack.size - 1)}`;
    this.grow(parts.length * (outer.length + this.indent.length));
    return `${open}${outer}${this.indent}${parts.join(`,${outer}${this.indent}`)}${outer}${close}`;
  }

  /** A value that is reached again and again doubles the text with every level: it is charged while it grows. */
  private grow(characters: number): void {
    this.size += characters + 2;
    machine.charge(characters + 2);
    machine.spend(characters >> 5);
    if (this.size > machine.maxString) machine.chargeString(this.size);
  }
}

function allowedKeys(list: Obj): string[] {
  const keys = new Set<string>();
  for (let index = 0; index < lengthOf(list); index++) {
    const key = list.get(String(index));
    if (typeof key === 'string' || typeof key === 'number' || key instanceof BoxObj) keys.add(toText(key));
  }
  return [...keys];
}

function unbox(value: BoxObj): Value {
  if (typeof value.primitive === 'number') return toNumber(value);
  if (typeof value.primitive === 'string') return toText(value);
  return value.primitive;
}
