import {
  arrayIndex,
  CONFIGURABLE,
  type Definition,
  ELEMENT_BYTES,
  growthBytes,
  isAccessor,
  type Key,
  Obj,
  objectHooks,
  orderKeys,
  PLAIN,
  Prop,
  type Value,
  WRITABLE,
} from './values.js';

/** Stands for an absent element. */
export const HOLE = Symbol('hole');
/** A gap up to this is filled with holes; beyond it the array turns sparse. */
const MAX_GAP = 1_024;

/**
 * An array (ECMA-262 10.4.2). Plain elements live in `elements`; an index past its end, or one with attributes of its
 * own, makes the array sparse for good: then such elements are ordinary properties.
 */
export class ArrayObj extends Obj {
  length: number;
  sparse = false;
  lengthWritable = true;

  constructor(
    proto: Obj,
    public elements: Value[] = [],
  ) {
    super(proto);
    this.length = elements.length;
    objectHooks().charge(elements.length * ELEMENT_BYTES);
  }

  override get className(): string {
    return 'Array';
  }

  override getOwn(key: Key): Prop | undefined {
    if (key === 'length') return new Prop(this.length, this.lengthWritable ? WRITABLE : 0);
    const index = arrayIndex(key);
    if (index < 0 || index >= this.elements.length) return this.props.get(key);
    const value = this.elements[index];
    return value === HOLE ? undefined : new Prop(value, PLAIN);
  }

  override define(key: Key, definition: Definition): boolean {
    if (key === 'length') return this.defineLength(definition);
    const index = arrayIndex(key);
    if (index < 0) return super.define(key, definition);
    if (index >= this.length && !this.lengthWritable) return false;
    if (isPlain(definition, this.getOwn(key)) && this.extensible && this.setElement(index, definition.value))
      return true;
    this.makeSparse();
    if (!super.define(key, definition)) return false;
    this.length = Math.max(this.length, index + 1);
    return true;
  }

  override delete(key: Key): boolean {
    if (key === 'length') return false;
    const index = arrayIndex(key);
    if (index < 0 || index >= this.elements.length) return super.delete(key);
    if (this.pristine) objectHooks().thaw(this);
    this.elements[index] = HOLE;
    return true;
  }

  override keys(): Key[] {
    const indices: Key[] = [];
    for (let index = 0; index < this.elements.length; index++) {
      objectHooks().tick();
      if (this.elements[index] !== HOLE) indices.push(String(index));
    }
    return orderKeys([...indices, ...this.props.keys(), 'length']);
  }

  /** Puts a plain element where that needs no property of its own. */
  setElement(index: number, value: Value): boolean {
    if (this.pristine) objectHooks().thaw(this);
    const { elements } = this;
    if (index < elements.length) {
      elements[index] = value;
      return true;
    }
    if (this.sparse || index > elements.length + MAX_GAP || !this.lengthWritable) return false;
    objectHooks().charge((index + 1 - elements.length) * ELEMENT_BYTES + growthBytes(elements.length));
    while (elements.length < index) elements.push(HOLE);
    elements.push(value);
    if (index >= this.length) this.length = index + 1;
    return true;
  }

  /** Sets `length`; elements past it go, up to the first that cannot be deleted. */
  setLength(length: number): boolean {
    if (length === this.length) return true;
    if (!this.lengthWritable) return false;
    if (this.pristine) objectHooks().thaw(this);
    if (length < this.elements.length) this.elements.length = length;
    let end = length;
    if (this.sparse && length < this.length) {
      const beyond = this.keys().filter((key) => arrayIndex(key) >= length);
      for (const key of beyond.toReversed()) {
        if (this.props.get(key)!.flags & CONFIGURABLE) this.props.delete(key);
        else {
          end = arrayIndex(key) + 1;
          break;
        }
      }
    }
    this.length = end;
    return end === length;
  }

  makeSparse(): void {
    if (this.pristine) objectHooks().thaw(this);
    this.sparse = true;
    const { elements } = this;
    this.elements = [];
    objectHooks().charge(elements.length * 64);
    for (const [index, value] of elements.entries())
      if (value !== HOLE) this.props.set(String(index), new Prop(value, PLAIN));
  }

  override preventExtensions(): boolean {
    this.makeSparse();
    return super.preventExtensions();
  }

  override visit(see: (value: Value) => void): number {
    for (const element of this.elements) see(element);
    return super.visit(see) + this.elements.length * ELEMENT_BYTES;
  }

  protected override overwrite(key: Key, prop: Prop, value: Value): boolean {
    if (key === 'length') return false;
    const index = arrayIndex(key);
    if (index >= 0 && index < this.elements.length) this.elements[index] = value;
    else prop.value = value;
    return true;
  }

  private defineLength(definition: Definition): boolean {
    if (isAccessor(definition) || definition.configurable || definition.enumerable) return false;
    if ('value' in definition) {
      const length = objectHooks().toNumber(definition.value);
      if (length >>> 0 !== length) objectHooks().throwError('RangeError', 'Invalid array length');
      if (!this.setLength(length)) return false;
    }
    if (definition.writable && !this.lengthWritable) return false;
    if (definition.writable === false) this.lengthWritable = false;
    return true;
  }
}

function isPlain(definition: Definition, current: Prop | undefined): boolean {
  if (isAccessor(definition)) return false;
  if (!current) return !!definition.writable && !!definition.enumerable && !!definition.configurable;
  return (
    current.flags === PLAIN &&
    'value' in definition &&
    definition.writable !== false &&
    definition.enumerable !== false &&
    definition.configurable !== false
  );
}
