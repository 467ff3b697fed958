import { ArrayObj, HOLE } from '../arrays.js';
import { construct } from '../convert.js';
import { machine, newArray, throwError } from '../machine.js';
import { Obj, type Value } from '../values.js';
import { isArray, setOrThrow } from './object.js';

/** The elements of a true array without holes; `undefined` for everything else. */
export function plainElements(object: Obj): Value[] | undefined {
  if (!(object instanceof ArrayObj) || object.exotic || object.sparse || object.pristine) return undefined;
  if (object.elements.length !== object.length || !object.lengthWritable) return undefined;
  machine.spend(object.length >> 3);
  return object.elements.includes(HOLE) ? undefined : object.elements;
}

/** `object[index]`. */
export function at(object: Obj, index: number): Value {
  machine.tick();
  return object.get(String(index));
}

/** ArraySpeciesCreate: what `map`, `filter`, `slice`, ... of a subclass make. */
export function speciesArray(source: Obj, length: number): Obj {
  if (!isArray(source)) return newArray([]);
  const constructor = source.get('constructor');
  if (constructor === machine.intrinsics.global.props.get('Array')?.value) return newArray([]);
  const species = constructor instanceof Obj ? constructor.get(Symbol.species) : constructor;
  if (species === undefined || species === null) return newArray([]);
  return construct(species, [length]);
}

/** CreateDataPropertyOrThrow. */
export function putAt(object: Obj, index: number, value: Value): void {
  if (object instanceof ArrayObj && !object.exotic && object.extensible && object.setElement(index, value)) return;
  if (!object.define(String(index), { value, writable: true, enumerable: true, configurable: true }))
    throwError('TypeError', `Cannot add property ${index}, object is not extensible`);
}

/** `object.length = length`, or throws. */
export function setLength(object: Obj, length: number): void {
  setOrThrow(object, 'length', length);
}

/** `delete object[index]`, or throws. */
export function deleteAt(object: Obj, index: number): void {
  if (!object.delete(String(index))) throwError('TypeError', `Cannot delete property '${index}'`);
}
