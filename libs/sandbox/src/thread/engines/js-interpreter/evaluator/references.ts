import { ArrayObj, HOLE } from '../arrays.js';
import { describe, getMember, protoOf, toKey } from '../convert.js';
import { machine, throwError } from '../machine.js';
import { Obj, type Value } from '../values.js';
import { type Binding, type Env, envAt, type Scope } from './scope.js';

export type Evaluate = (env: Env) => Value;
export type Assign = (env: Env, value: Value) => void;

/** Reads a variable. `quiet`: `typeof` gives `undefined` for one that does not exist. */
export function readVariable(name: string, binding: Binding, position: number, quiet = false): Evaluate {
  const read = binding.hops < 0 ? readGlobal(name, position, quiet) : readSlot(binding);
  if (binding.dynamic.length === 0) return read;
  return (env) => {
    const holder = dynamicHolder(name, binding, env);
    if (!holder) return read(env);
    return holder.object ? holder.object.get(name) : holder.dynamic!.get(name);
  };
}

function readSlot({ hops, slot }: Binding): Evaluate {
  if (hops === 0) return (env) => env.slots[slot];
  if (hops === 1) return (env) => env.parent!.slots[slot];
  if (hops === 2) return (env) => env.parent!.parent!.slots[slot];
  return (env) => envAt(env, hops).slots[slot];
}

function readGlobal(name: string, position: number, quiet: boolean): Evaluate {
  if (name === 'undefined') return () => undefined;
  return () => {
    const { global } = machine.intrinsics;
    const prop = global.props.get(name);
    if (prop && !prop.get) return prop.value;
    if (global.has(name)) return global.get(name);
    if (quiet) return undefined;
    machine.frame!.position = position;
    return throwError('ReferenceError', `${name} is not defined`);
  };
}

/** The dynamic scope on the way that has the name. */
export function dynamicHolder(name: string, binding: Binding, env: Env): Env | undefined {
  for (const hops of binding.dynamic) {
    const holder = envAt(env, hops);
    if (holder.object ? isBound(holder.object, name) : holder.dynamic?.has(name)) return holder;
  }
  return undefined;
}

function isBound(object: Obj, name: string): boolean {
  if (!object.has(name)) return false;
  const unscopables = object.get(Symbol.unscopables);
  return !(unscopables instanceof Obj && unscopables.get(name));
}

export function writeVariable(name: string, binding: Binding, position: number, scope: Scope): Assign {
  const write = binding.hops < 0 ? writeGlobal(name, position, scope.strict) : writeSlot(name, binding, scope.strict);
  if (binding.dynamic.length === 0) return write;
  return (env, value) => {
    const holder = dynamicHolder(name, binding, env);
    if (!holder) write(env, value);
    else if (holder.object) holder.object.set(name, value);
    else holder.dynamic!.set(name, value);
  };
}

function writeSlot(name: string, { hops, slot, constant }: Binding, strict: boolean): Assign {
  if (constant)
    return () => {
      if (strict) throwError('TypeError', `Assignment to constant variable '${name}'.`);
    };
  if (hops === 0)
    return (env, value) => {
      env.slots[slot] = value;
    };
  return (env, value) => {
    envAt(env, hops).slots[slot] = value;
  };
}

function writeGlobal(name: string, position: number, strict: boolean): Assign {
  return (_env, value) => {
    const { global } = machine.intrinsics;
    machine.frame!.position = position;
    if (strict && !global.has(name)) throwError('ReferenceError', `${name} is not defined`);
    if (!global.set(name, value) && strict) throwError('TypeError', `Cannot assign to read only property '${name}'`);
  };
}

/** `object[key]` for any two values. */
export function readMember(object: Value, key: Value, position: number): Value {
  if (typeof key === 'number' && object instanceof ArrayObj) {
    const element = object.elements[key];
    if (element !== undefined && element !== HOLE) return element;
  }
  machine.frame!.position = position;
  if (object === undefined || object === null) return nothingToRead(object, key);
  if (typeof object === 'string' && typeof key === 'number' && key >= 0 && key < object.length) {
    const unit = object[key];
    if (unit !== undefined) return unit;
  }
  return getMember(object, toKey(key));
}

export function nothingToRead(object: undefined | null, key: Value): never {
  const name = typeof key === 'string' ? key : typeof key === 'number' ? String(key) : 'property';
  return throwError('TypeError', `Cannot read properties of ${String(object)} (reading '${name}')`);
}

/** `object[key] = value`. */
export function writeMember(object: Value, key: Value, value: Value, position: number, strict: boolean): void {
  if (typeof key === 'number' && object instanceof ArrayObj && !object.pristine && key < object.elements.length) {
    if (object.elements[key] !== undefined && object.elements[key] !== HOLE) {
      object.elements[key] = value;
      return;
    }
  }
  machine.frame!.position = position;
  if (object === undefined || object === null)
    throwError('TypeError', `Cannot set properties of ${String(object)} (setting '${describe(key)}')`);
  const name = toKey(key);
  const done = object instanceof Obj ? object.set(name, value) : protoOf(object).set(name, value, object);
  if (!done && strict) throwError('TypeError', `Cannot assign to read only property '${String(name)}' of object`);
}

/** `delete object[key]`. */
export function deleteMember(object: Value, key: Value, strict: boolean): boolean {
  if (object === undefined || object === null) nothingToRead(object, key);
  const name = toKey(key);
  const done = object instanceof Obj ? object.delete(name) : true;
  if (!done && strict) throwError('TypeError', `Cannot delete property '${String(name)}' of object`);
  return done;
}
