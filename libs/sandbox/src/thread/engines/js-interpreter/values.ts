/** What a guest can hold. Symbols and big integers are the host's own; every object is an `Obj`, never a host object. */
export type Value = undefined | null | boolean | number | bigint | string | symbol | Obj;
export type Key = string | symbol;

/** Attributes of a property, as bits. */
export const WRITABLE = 1;
export const ENUMERABLE = 2;
export const CONFIGURABLE = 4;
export const ACCESSOR = 8;
/** What an assignment makes. */
export const PLAIN = WRITABLE | ENUMERABLE | CONFIGURABLE;
/** What the library's methods are. */
export const HIDDEN = WRITABLE | CONFIGURABLE;

/** A property: `value`, or `get` and `set` where the accessor bit is set. */
export class Prop {
  constructor(
    public value: Value,
    public flags: number,
    public get?: FnObj,
    public set?: FnObj,
  ) {}
}

/** What a definition names; fields left out stay as they are. */
export interface Definition {
  value?: Value;
  get?: FnObj | undefined;
  set?: FnObj | undefined;
  writable?: boolean;
  enumerable?: boolean;
  configurable?: boolean;
}

/** What the object model needs of the machine around it; set once, when the machine's module is loaded. */
export interface Hooks {
  /** Called before the first change of an object that belongs to the pristine realm. */
  thaw(object: Obj): void;
  charge(bytes: number): void;
  tick(): void;
  toNumber(value: Value): number;
  throwError(name: 'TypeError' | 'RangeError', message: string): never;
}

/** Estimates of V8's own cost, in bytes, for the memory limit. */
export const OBJECT_BYTES = 320;
export const PROPERTY_BYTES = 96;
export const ELEMENT_BYTES = 16;

/** A large table that is full is copied into one of twice the size: what that takes, for `size` entries. */
export function growthBytes(size: number): number {
  return size >= LARGE_TABLE && (size & (size - 1)) === 0 ? size * 2 * ELEMENT_BYTES : 0;
}

const LARGE_TABLE = 1 << 15;

let hooks: Hooks;
export function setHooks(given: Hooks): void {
  hooks = given;
}

/** An ordinary object (ECMA-262 10.1): the essential internal methods, which exotic objects override. */
export class Obj {
  props = new Map<Key, Prop>();
  extensible = true;
  /** Part of the realm that every run starts from: must be thawed (kept aside) before it is changed. */
  pristine = false;
  /** Values that weak maps keep for this object: a weak map owns nothing itself, and what it holds can be counted. */
  weak: Map<Obj, Value> | undefined;
  /** The last measurement of memory that saw this object. */
  mark = 0;
  /** `get` and friends are overridden and must be asked, even on the prototype chain. */
  readonly exotic: boolean = false;

  constructor(public proto: Obj | null) {
    hooks.charge(OBJECT_BYTES);
  }

  /** For `Object.prototype.toString`. */
  get className(): string {
    return 'Object';
  }

  getOwn(key: Key): Prop | undefined {
    return this.props.get(key);
  }

  /** ValidateAndApplyPropertyDescriptor. Returns false where the definition is not allowed. */
  define(key: Key, definition: Definition): boolean {
    const current = this.getOwn(key);
    if (!current) {
      if (!this.extensible) return false;
      this.store(key, newProp(definition));
      return true;
    }
    if (!isAllowed(current, definition)) return false;
    this.store(key, changedProp(current, definition));
    return true;
  }

  delete(key: Key): boolean {
    const current = this.getOwn(key);
    if (!current) return true;
    if (!(current.flags & CONFIGURABLE)) return false;
    if (this.pristine) hooks.thaw(this);
    this.props.delete(key);
    return true;
  }

  /** Own keys: indices ascending, then names, then symbols, each as they were added. */
  keys(): Key[] {
    return orderKeys([...this.props.keys()]);
  }

  has(key: Key): boolean {
    for (let object: Obj | null = this as Obj; object; object = object.proto) {
      if (object !== this && object.exotic) return object.has(key);
      if (object.getOwn(key)) return true;
    }
    return false;
  }

  get(key: Key, receiver: Value = this): Value {
    for (let object: Obj | null = this as Obj; object; object = object.proto) {
      if (object !== this && object.exotic) return object.get(key, receiver);
      const prop = object.getOwn(key);
      if (prop) return prop.flags & ACCESSOR ? prop.get?.call(receiver, []) : prop.value;
    }
    return undefined;
  }

  set(key: Key, value: Value, receiver: Value = this): boolean {
    for (let object: Obj | null = this as Obj; object; object = object.proto) {
      if (object !== this && object.exotic) return object.set(key, value, receiver);
      const prop = object.getOwn(key);
      if (!prop) continue;
      if (prop.flags & ACCESSOR) {
        if (!prop.set) return false;
        prop.set.call(receiver, [value]);
        return true;
      }
      if (!(prop.flags & WRITABLE)) return false;
      if (object === receiver && !this.pristine && this.overwrite(key, prop, value)) return true;
      break;
    }
    return receiver instanceof Obj && assign(receiver, key, value);
  }

  getPrototype(): Obj | null {
    return this.proto;
  }

  setPrototype(proto: Obj | null): boolean {
    if (proto === this.proto) return true;
    if (!this.extensible) return false;
    for (let object = proto; object && !object.exotic; object = object.proto) if (object === this) return false;
    if (this.pristine) hooks.thaw(this);
    this.proto = proto;
    return true;
  }

  isExtensible(): boolean {
    return this.extensible;
  }

  preventExtensions(): boolean {
    if (this.pristine) hooks.thaw(this);
    this.extensible = false;
    return true;
  }

  /** Adds or replaces a property without asking anybody. */
  store(key: Key, prop: Prop): void {
    if (this.pristine) hooks.thaw(this);
    hooks.charge(PROPERTY_BYTES + growthBytes(this.props.size));
    this.props.set(key, prop);
  }

  /** Adds a plain property to an object that is known to be fresh. */
  put(key: Key, value: Value, flags: number = PLAIN): void {
    this.store(key, new Prop(value, flags));
  }

  /** Shows what the object refers to, for the measurement of memory. Returns its own size in bytes. */
  visit(see: (value: Value) => void): number {
    for (const prop of this.props.values()) {
      see(prop.value);
      see(prop.get);
      see(prop.set);
    }
    see(this.proto);
    if (this.weak) for (const value of this.weak.values()) see(value);
    return OBJECT_BYTES + (this.props.size + (this.weak?.size ?? 0)) * PROPERTY_BYTES;
  }

  protected overwrite(_key: Key, prop: Prop, value: Value): boolean {
    prop.value = value;
    return true;
  }
}

/** Objects that can be called. */
export abstract class FnObj extends Obj {
  override get className(): string {
    return 'Function';
  }
  abstract call(self: Value, args: Value[]): Value;
  /** `undefined` where the function is no constructor. */
  construct: ((args: Value[], target: FnObj) => Obj) | undefined;
  /** What `Function.prototype.toString` gives. */
  abstract get text(): string;
}

function assign(receiver: Obj, key: Key, value: Value): boolean {
  const own = receiver.getOwn(key);
  if (!own) return receiver.define(key, { value, writable: true, enumerable: true, configurable: true });
  if (own.flags & ACCESSOR || !(own.flags & WRITABLE)) return false;
  return receiver.define(key, { value });
}

function newProp(definition: Definition): Prop {
  const flags =
    (definition.enumerable ? ENUMERABLE : 0) |
    (definition.configurable ? CONFIGURABLE : 0) |
    (definition.writable ? WRITABLE : 0);
  if (isAccessor(definition)) return new Prop(undefined, flags | ACCESSOR, definition.get, definition.set);
  return new Prop(definition.value, flags);
}

export function isAccessor(definition: Definition): boolean {
  return 'get' in definition || 'set' in definition;
}

function isAllowed(current: Prop, definition: Definition): boolean {
  if (current.flags & CONFIGURABLE) return true;
  if (definition.configurable) return false;
  if (definition.enumerable !== undefined && definition.enumerable !== !!(current.flags & ENUMERABLE)) return false;
  if (isAccessor(definition)) {
    if (!(current.flags & ACCESSOR)) return false;
    return (
      (!('get' in definition) || definition.get === current.get) &&
      (!('set' in definition) || definition.set === current.set)
    );
  }
  if (!('value' in definition) && definition.writable === undefined) return true;
  if (current.flags & ACCESSOR) return false;
  if (current.flags & WRITABLE) return true;
  return !definition.writable && (!('value' in definition) || Object.is(definition.value, current.value));
}

function changedProp(current: Prop, definition: Definition): Prop {
  const flag = (bit: number, given: boolean | undefined): number =>
    given === undefined ? current.flags & bit : given ? bit : 0;
  const shared = flag(ENUMERABLE, definition.enumerable) | flag(CONFIGURABLE, definition.configurable);
  const toData = 'value' in definition || definition.writable !== undefined;
  if (isAccessor(definition) || (current.flags & ACCESSOR && !toData)) {
    const get = 'get' in definition ? definition.get : current.get;
    const set = 'set' in definition ? definition.set : current.set;
    return new Prop(undefined, shared | ACCESSOR, get, set);
  }
  const writable =
    current.flags & ACCESSOR ? (definition.writable ? WRITABLE : 0) : flag(WRITABLE, definition.writable);
  return new Prop('value' in definition ? definition.value : current.value, shared | writable);
}

/** The array index a key stands for (0 to 2^32 - 2), or -1. */
export function arrayIndex(key: Key): number {
  if (typeof key === 'symbol') return -1;
  const first = key.charCodeAt(0);
  if (first === 48) return key.length === 1 ? 0 : -1;
  if (!(first >= 49 && first <= 57) || key.length > 10) return -1;
  let index = first - 48;
  for (let at = 1; at < key.length; at++) {
    const digit = key.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return -1;
    index = index * 10 + digit;
  }
  return index < 4_294_967_295 ? index : -1;
}

export function orderKeys(keys: Key[]): Key[] {
  if (!keys.some((key) => typeof key === 'symbol' || arrayIndex(key) >= 0)) return keys;
  const indices = keys.filter((key) => arrayIndex(key) >= 0).toSorted((a, b) => arrayIndex(a) - arrayIndex(b));
  const names = keys.filter((key) => typeof key === 'string' && arrayIndex(key) < 0);
  return [...indices, ...names, ...keys.filter((key) => typeof key === 'symbol')];
}

/** For exotic objects that live in other files. */
export function objectHooks(): Hooks {
  return hooks;
}
