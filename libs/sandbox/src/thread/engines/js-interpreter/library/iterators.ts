import { ArrayObj } from '../arrays.js';
import { getMember, lengthOf, toObject } from '../convert.js';
import { machine, newArray, throwError } from '../machine.js';
import { Obj, type Value } from '../values.js';
import { defineMethod, defineTag } from './define.js';
import { arrayIteration, iteratorResult } from './iterate.js';

/** An iterator of the library: what it gives next, `undefined` once it is done. */
export class HostIterator extends Obj {
  constructor(
    proto: Obj,
    readonly kind: string,
    private step: (() => { value: Value } | undefined) | undefined,
    /** What it iterates over, for the measurement of memory. */
    private readonly over: Value,
  ) {
    super(proto);
  }

  override visit(see: (value: Value) => void): number {
    if (this.step) see(this.over);
    return super.visit(see);
  }

  next(): Obj {
    machine.tick();
    const result = this.step?.();
    if (!result) this.step = undefined;
    return iteratorResult(result?.value, !result);
  }
}

const protos = new WeakMap<Obj, Map<string, Obj>>();

/** `Iterator.prototype` and one prototype per kind of library iterator (`Array Iterator`, `Map Iterator`, ...). */
export function installIterators(): void {
  const { iteratorProto, global } = machine.intrinsics;
  defineMethod(iteratorProto, Symbol.iterator, 0, (self) => self);
  const kinds = new Map<string, Obj>();
  for (const kind of ['Array', 'String', 'Map', 'Set', 'RegExp String']) {
    const name = `${kind} Iterator`;
    const proto = new Obj(iteratorProto);
    const next = defineMethod(proto, 'next', 0, (self) => {
      if (self instanceof HostIterator && self.kind === name) return self.next();
      return throwError('TypeError', `next method called on an object that is no ${name}`);
    });
    defineTag(proto, name);
    kinds.set(name, proto);
    if (kind === 'Array') Object.assign(arrayIteration, { proto, next });
  }
  protos.set(global, kinds);
}

/** An iterator of the kind over what `step` gives. */
export function makeIterator(kind: string, over: Value, step: () => { value: Value } | undefined): HostIterator {
  return new HostIterator(protos.get(machine.intrinsics.global)!.get(kind)!, kind, step, over);
}

/** `array.keys()`, `.values()` and `.entries()`, also of array-likes. */
export function arrayIterator(self: Value, kind: 'keys' | 'values' | 'entries'): Obj {
  const object = toObject(self);
  let index = 0;
  return makeIterator('Array Iterator', object, () => {
    const length = object instanceof ArrayObj ? object.length : lengthOf(object);
    if (index >= length) return undefined;
    const at = index++;
    if (kind === 'keys') return { value: at };
    const value = typeof self === 'string' ? self[at] : getMember(object, String(at));
    return { value: kind === 'values' ? value : newArray([at, value]) };
  });
}
