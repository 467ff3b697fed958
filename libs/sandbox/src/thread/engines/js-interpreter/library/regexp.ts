import { getMember, toInteger, toLength, toNumber, toText } from '../convert.js';
import { protoFor } from '../evaluator/functions.js';
import { isCallable, machine, newArray, throwError } from '../machine.js';
import { ArrayObj } from '../arrays.js';
import { Obj, PLAIN, Prop, type Value, WRITABLE } from '../values.js';
import { defineClass, defineGetter, defineMethod, defineMethods, defineSpecies } from './define.js';
import { makeIterator } from './iterators.js';
import { setOrThrow } from './object.js';
import { execute } from './regexp-run.js';
import { ownText } from './texts.js';

/** A regular expression. `host` is the host's own, used with an explicit `lastIndex` only. */
export class RegExpObj extends Obj {
  constructor(
    proto: Obj,
    public source: string,
    public flags: string,
    public host: RegExp,
  ) {
    super(proto);
    // The host compiles a pattern to 10 to 20 bytes a character, with its first use.
    machine.charge(source.length * 20);
    this.put('lastIndex', 0, WRITABLE);
  }
  override get className(): string {
    return 'RegExp';
  }
  override visit(see: (value: Value) => void): number {
    return super.visit(see) + this.source.length * 20;
  }
}

let proto: Obj;
/** `RegExp.prototype` of the realm being built. */
export function useRegExpProto(given: Obj): void {
  proto = given;
}

/** @throws the guest's SyntaxError for a pattern or flags that are none. */
function compileHost(source: string, flags: string): RegExp {
  if (source.length > 10_000) return throwError('SyntaxError', 'Invalid regular expression: the pattern is too long');
  try {
    // `d` and `g` or `y` are ours to apply: the host's expression always runs from `lastIndex`.
    return new RegExp(source, `${flags.replace(/[dgy]/g, '')}dg${flags.includes('y') ? 'y' : ''}`);
  } catch (error) {
    return throwError('SyntaxError', error instanceof Error ? error.message : 'Invalid regular expression');
  }
}

export function newRegExp(source: string, flags: string, from: Obj = proto): RegExpObj {
  if (/[^dgimsuvy]/.test(flags) || new Set(flags).size !== flags.length)
    throwError('SyntaxError', `Invalid flags supplied to RegExp constructor '${flags}'`);
  return new RegExpObj(from, source, flags, compileHost(source, flags));
}

/** `RegExp` and `RegExp.prototype` (ECMA-262 22.2). */
export function installRegExp(global: Obj): void {
  const constructor = defineClass(global, 'RegExp', 2, proto, (_self, [pattern, flags], target) => {
    if (!target && pattern instanceof RegExpObj && flags === undefined && pattern.get('constructor') === constructor)
      return pattern;
    return newRegExp(...patternAndFlags(pattern, flags), protoFor(target, proto));
  });
  defineSpecies(constructor);
  for (const [name, flag] of FLAGS)
    defineGetter(proto, name, (self) => (self === proto ? undefined : requireRegExp(self, name).flags.includes(flag)));
  defineGetter(proto, 'flags', (self) =>
    FLAGS.filter(([name]) => getMember(requireObject(self), name))
      .map(([, flag]) => flag)
      .join(''),
  );
  defineGetter(proto, 'source', (self) =>
    self === proto ? '(?:)' : escapeSource(requireRegExp(self, 'source').source),
  );
  defineMethods(proto, {
    exec: [1, (self, [text]) => execBuiltin(requireRegExp(self, 'exec'), toText(text))],
    test: [1, (self, [text]) => exec(requireObject(self), toText(text)) !== null],
    'toString()': [
      0,
      (self) =>
        `/${toText(getMember(requireObject(self), 'source'))}/${toText(getMember(requireObject(self), 'flags'))}`,
    ],
    compile: [2, (self, [pattern, flags]) => recompile(requireRegExp(self, 'compile'), pattern, flags)],
  });
  defineMethod(proto, Symbol.match, 1, match);
  defineMethod(proto, Symbol.matchAll, 1, matchAll);
  defineMethod(proto, Symbol.replace, 2, (self, [text, replacement]) =>
    replace(requireObject(self), toText(text), replacement),
  );
  defineMethod(proto, Symbol.search, 1, search);
  defineMethod(proto, Symbol.split, 2, split);
}

const FLAGS: readonly (readonly [name: string, flag: string])[] = [
  ['hasIndices', 'd'],
  ['global', 'g'],
  ['ignoreCase', 'i'],
  ['multiline', 'm'],
  ['dotAll', 's'],
  ['unicode', 'u'],
  ['unicodeSets', 'v'],
  ['sticky', 'y'],
];

function patternAndFlags(pattern: Value, flags: Value): [string, string] {
  if (pattern instanceof RegExpObj) return [pattern.source, flags === undefined ? pattern.flags : toText(flags)];
  return [pattern === undefined ? '(?:)' : toText(pattern) || '(?:)', flags === undefined ? '' : toText(flags)];
}

function recompile(target: RegExpObj, pattern: Value, flags: Value): Value {
  const made = newRegExp(...patternAndFlags(pattern, flags));
  target.source = made.source;
  target.flags = made.flags;
  target.host = made.host;
  setOrThrow(target, 'lastIndex', 0);
  return target;
}

function escapeSource(source: string): string {
  return source
    .replace(/\\.|\[(?:\\.|[^\]\\])*\]|\//gs, (part) => (part === '/' ? '\\/' : part))
    .replaceAll('\n', '\\n');
}

function requireObject(value: Value): Obj {
  return value instanceof Obj ? value : throwError('TypeError', 'RegExp method called on incompatible receiver');
}

function requireRegExp(value: Value, method: string): RegExpObj {
  return value instanceof RegExpObj ? value : throwError('TypeError', `RegExp.prototype.${method} requires a RegExp`);
}

/** RegExpExec: a guest's own `exec` is asked. */
function exec(regexp: Obj, text: string): Obj | null {
  const method = regexp.get('exec');
  if (isCallable(method) && !(regexp instanceof RegExpObj && method === proto.props.get('exec')?.value)) {
    const result = method.call(regexp, [text]);
    if (result === null || result instanceof Obj) return result;
    return throwError('TypeError', 'exec must return an object or null');
  }
  return execBuiltin(requireRegExp(regexp, 'exec'), text);
}

function execBuiltin(regexp: RegExpObj, text: string): Obj | null {
  const remembers = regexp.flags.includes('g') || regexp.flags.includes('y');
  const given = toLength(regexp.get('lastIndex'));
  const from = remembers ? given : 0;
  const found = from > text.length ? null : execute(regexp.host, regexp.source, regexp.flags, text, from);
  if (!found) {
    if (remembers) setOrThrow(regexp, 'lastIndex', 0);
    return null;
  }
  if (remembers) setOrThrow(regexp, 'lastIndex', found.index + found[0].length);
  return matchResult(found, text, regexp.flags.includes('d'));
}

function matchResult(found: RegExpExecArray, text: string, indices: boolean): ArrayObj {
  const result = newArray(found.map((part) => part && ownText(part, text)));
  machine.charge(found[0].length);
  result.put('index', found.index);
  result.put('input', text);
  result.put(
    'groups',
    named(found.groups, (value) => value && ownText(value, text)),
  );
  if (indices && found.indices) {
    const pairs = newArray(found.indices.map((pair) => pair && newArray([...pair])));
    pairs.put(
      'groups',
      named(found.indices.groups, (pair) => pair && newArray([...pair])),
    );
    result.put('indices', pairs);
  }
  return result;
}

function named<T>(groups: Record<string, T> | undefined, show: (value: T) => Value): Obj | undefined {
  if (!groups) return undefined;
  const object = new Obj(null);
  for (const [name, value] of Object.entries(groups)) object.store(name, new Prop(show(value), PLAIN));
  return object;
}

/** The next place to search after an empty match. */
function advance(regexp: Obj, text: string): void {
  const index = toLength(regexp.get('lastIndex'));
  const flags = toText(regexp.get('flags'));
  const wide = (flags.includes('u') || flags.includes('v')) && (text.codePointAt(index) ?? 0) > 0xffff;
  setOrThrow(regexp, 'lastIndex', index + (wide ? 2 : 1));
}

function match(self: Value, [value]: Value[]): Value {
  const regexp = requireObject(self);
  const text = toText(value);
  if (!toText(regexp.get('flags')).includes('g')) return exec(regexp, text);
  const found: Value[] = [];
  for (const result of allMatches(regexp, text)) {
    found.push(toText(result.get('0')));
    machine.charge(24);
  }
  return found.length === 0 ? null : newArray(found);
}

function* allMatches(regexp: Obj, text: string): Generator<Obj> {
  setOrThrow(regexp, 'lastIndex', 0);
  for (let result = exec(regexp, text); result; result = exec(regexp, text)) {
    machine.tick();
    if (toText(result.get('0')) === '') advance(regexp, text);
    yield result;
  }
}

function matchAll(self: Value, [value]: Value[]): Value {
  const original = requireObject(self);
  const text = toText(value);
  const flags = toText(original.get('flags'));
  const regexp = newRegExp(toText(original.get('source')), flags);
  setOrThrow(regexp, 'lastIndex', toLength(original.get('lastIndex')));
  let done = false;
  return makeIterator('RegExp String Iterator', text, () => {
    const result = done ? null : exec(regexp, text);
    if (!result) return undefined;
    if (!flags.includes('g')) done = true;
    else if (toText(result.get('0')) === '') advance(regexp, text);
    return { value: result };
  });
}

function search(self: Value, [value]: Value[]): Value {
  const regexp = requireObject(self);
  const before = regexp.get('lastIndex');
  setOrThrow(regexp, 'lastIndex', 0);
  const result = exec(regexp, toText(value));
  setOrThrow(regexp, 'lastIndex', before);
  return result ? result.get('index') : -1;
}

function replace(regexp: Obj, text: string, replacement: Value): string {
  const template = isCallable(replacement) ? undefined : toText(replacement);
  const results = toText(regexp.get('flags')).includes('g') ? [...allMatches(regexp, text)] : [exec(regexp, text)];
  let done = '';
  let from = 0;
  for (const result of results) {
    if (!result) break;
    const captures = capturesOf(result);
    const position = Math.max(0, Math.min(toInteger(result.get('index')), text.length));
    const groups = result.get('groups');
    const piece =
      template === undefined
        ? callReplacer(replacement, captures, position, text, groups)
        : expandReplacement(template, text, position, captures, groups);
    if (position < from) continue;
    done += text.slice(from, position) + piece;
    machine.chargePart(done.length, piece.length);
    from = position + captures[0]!.length;
  }
  return ownText(done + text.slice(from), text);
}

function capturesOf(result: Obj): (string | undefined)[] {
  const length = result instanceof ArrayObj ? result.length : toLength(result.get('length'));
  return Array.from({ length: Math.max(1, length) }, (_, index) => {
    machine.tick();
    const capture = result.get(String(index));
    return capture === undefined && index > 0 ? undefined : toText(capture);
  });
}

function callReplacer(
  replacer: Value,
  captures: (string | undefined)[],
  position: number,
  text: string,
  groups: Value,
): string {
  if (!isCallable(replacer)) return '';
  return toText(replacer.call(undefined, [...captures, position, text, ...(groups === undefined ? [] : [groups])]));
}

/** GetSubstitution: `$$`, `$&`, `` $` ``, `$'`, `$1`, `$<name>`. */
export function expandReplacement(
  template: string,
  text: string,
  position: number,
  captures: readonly (string | undefined)[],
  groups: Value,
): string {
  if (!template.includes('$')) return template;
  const [matched = ''] = captures;
  const expanded = template.replace(
    /\$(?:([$&`'])|(\d\d?)|<([^>]*)>)/g,
    (whole: string, mark?: string, digits?: string, name?: string) => {
      if (mark === '$') return '$';
      if (mark === '&') return matched;
      if (mark === '`') return text.slice(0, position);
      if (mark === "'") return text.slice(position + matched.length);
      if (name !== undefined) return groups === undefined ? whole : groupText(groups, name);
      return numbered(digits!, captures) ?? whole;
    },
  );
  machine.chargeString(expanded.length);
  return expanded;
}

function groupText(groups: Value, name: string): string {
  const value = getMember(groups, name);
  return value === undefined ? '' : toText(value);
}

function numbered(digits: string, captures: readonly (string | undefined)[]): string | undefined {
  const two = Number(digits);
  if (two > 0 && two < captures.length) return captures[two] ?? '';
  const one = Number(digits[0]);
  if (digits.length === 2 && one > 0 && one < captures.length) return (captures[one] ?? '') + digits[1]!;
  return undefined;
}

function split(self: Value, [value, limit]: Value[]): Value {
  const original = requireObject(self);
  const text = toText(value);
  const flags = toText(original.get('flags'));
  const most = limit === undefined ? 4_294_967_295 : toNumber(limit) >>> 0;
  const regexp = newRegExp(toText(original.get('source')), flags.includes('y') ? flags : `${flags}y`);
  const parts: Value[] = [];
  if (most === 0) return newArray(parts);
  if (text === '') return newArray(exec(regexp, text) ? [] : [text]);
  let start = 0;
  // Sticky matching at every place would be quadratic in what the host does fast: search for the next match instead.
  const finder = newRegExp(regexp.source, flags.replace(/[gy]/g, '') + 'g');
  for (let from = 0; from < text.length;) {
    const found = execute(finder.host, finder.source, finder.flags, text, from);
    if (!found || found.index >= text.length) break;
    const end = found.index + found[0].length;
    if (end === start || (found[0] === '' && found.index === start)) {
      from = Math.max(from, found.index) + 1;
      continue;
    }
    machine.charge(48);
    parts.push(ownText(text.slice(start, found.index), text), ...found.slice(1));
    if (parts.length >= most) return newArray(parts.slice(0, most));
    start = end;
    from = found[0] === '' ? end + 1 : end;
  }
  parts.push(ownText(text.slice(start), text));
  return newArray(parts.slice(0, most));
}
