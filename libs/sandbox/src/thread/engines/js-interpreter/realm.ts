import { ArrayObj } from './arrays.js';
import { bigintBits, BoxObj } from './convert.js';
import { compileFunction } from './evaluator/compile.js';
import { Closure, seeEnv } from './evaluator/functions.js';
import { Env } from './evaluator/scope.js';
import { installArray } from './library/array.js';
import { installCollections } from './library/collections.js';
import { installDate } from './library/date.js';
import { installErrors } from './library/errors.js';
import { installFunction } from './library/function.js';
import { installGenerators } from './library/generators.js';
import { installGlobals } from './library/globals.js';
import { HELPER_SOURCE, installHelpers } from './library/helpers.js';
import { installIterators } from './library/iterators.js';
import { installJson } from './library/json.js';
import { installMath } from './library/math.js';
import { clearSymbols, installPrimitives, seeSymbols } from './library/number.js';
import { installObject } from './library/object.js';
import { installPromise } from './library/promise.js';
import { installReflect } from './library/reflect.js';
import { installRegExp, useRegExpProto } from './library/regexp.js';
import { installString } from './library/string.js';
import { type ErrorName, type Intrinsics, machine } from './machine.js';
import { parseFunction } from './syntax.js';
import { CONFIGURABLE, FnObj, type Key, Obj, Prop, type Value } from './values.js';

/** What an object of the realm was before a run changed it. */
interface Kept {
  readonly object: Obj;
  readonly props: Map<Key, Prop>;
  readonly proto: Obj | null;
  readonly extensible: boolean;
}

const ERRORS: readonly ErrorName[] = [
  'Error',
  'TypeError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'URIError',
  'EvalError',
];

/**
 * The library, built once a thread and the same for every run: objects are kept aside the first time a run changes them
 * and put back afterwards. What a run may write to is frozen on the host's side too, so that a change that went another
 * way would be an error instead of a leak.
 */
export class Realm {
  readonly intrinsics: Intrinsics;
  private readonly kept: Kept[] = [];

  constructor() {
    this.intrinsics = buildIntrinsics();
    machine.intrinsics = this.intrinsics;
    installLibrary(this.intrinsics.global);
    runHelpers(this.intrinsics.global);
    seal(this.intrinsics);
  }

  /** Makes this realm the machine's, for a run. */
  enter(): void {
    machine.intrinsics = this.intrinsics;
    machine.thawObject = (object) => this.thaw(object);
    machine.measure = () => this.measure();
  }

  /** Puts everything back that the run has changed. */
  leave(): void {
    for (const { object, props, proto, extensible } of this.kept) {
      object.props = props;
      object.proto = proto;
      object.extensible = extensible;
      object.weak = undefined;
      object.pristine = true;
    }
    this.kept.length = 0;
    clearSymbols();
  }

  private thaw(object: Obj): void {
    const { props, proto, extensible } = object;
    const copy = new Map<Key, Prop>();
    for (const [key, { value, flags, get, set }] of props) copy.set(key, new Prop(value, flags, get, set));
    this.kept.push({ object, props, proto, extensible });
    object.props = copy;
    object.pristine = false;
  }

  /** Bytes that the global object, what was changed of the realm, and the calls under way can reach. */
  private measure(): number {
    machine.measurement++;
    const meter = new Meter(machine.budget.memoryBytes);
    for (const { object } of this.kept) meter.see(object);
    for (let frame = machine.frame; frame; frame = frame.caller) seeEnv(frame.env, meter.see);
    for (const { keeps } of machine.jobs) for (const value of keeps) meter.see(value);
    seeSymbols(meter.see);
    return meter.finish() + machine.jobs.length * JOB_BYTES;
  }
}

/** A waiting job keeps some closures. */
const JOB_BYTES = 600;
/** Texts from this length on are counted once, however often they are referred to. */
const LONG_TEXT = 256;

/** Characters that take two bytes, as do all others of their text. */
const WIDE = /[^\0-\xff]/;

/** Adds up what is reachable; stops past the limit. */
class Meter {
  private bytes = 0;
  private readonly queue: Obj[] = [];
  private readonly texts = new Set<string>();

  constructor(private readonly limit: number) {}

  readonly see = (value: Value): void => {
    if (typeof value === 'string') this.text(value);
    else if (value instanceof Obj && value.mark !== machine.measurement && !value.pristine) {
      value.mark = machine.measurement;
      this.queue.push(value);
    } else if (typeof value === 'bigint') this.bytes += 24 + (bigintBits(value) >> 3);
    else if (typeof value === 'symbol') this.bytes += 64 + (value.description?.length ?? 0) * 2;
  };

  finish(): number {
    for (let object = this.queue.pop(); object && this.bytes <= this.limit; object = this.queue.pop()) {
      // In one statement, what `visit` adds through `see` would be overwritten.
      const own = object.visit(this.see);
      this.bytes += own;
    }
    return this.bytes;
  }

  private text(text: string): void {
    if (this.bytes > this.limit || this.texts.has(text)) return;
    if (text.length >= LONG_TEXT) this.texts.add(text);
    // To look at a text joins its parts: not worth it for a long one, of which the parts may be shared.
    this.bytes += 24 + text.length * (text.length < 4_096 && WIDE.test(text) ? 2 : 1);
  }
}

/** `Function.prototype`, which is a function that does nothing. */
class FunctionProto extends FnObj {
  override get text(): string {
    return 'function () { [native code] }';
  }
  override call(): Value {
    return undefined;
  }
}

function buildIntrinsics(): Intrinsics {
  const objectProto = new Obj(null);
  const child = (proto: Obj = objectProto): Obj => new Obj(proto);
  const functionProto = new FunctionProto(objectProto);
  functionProto.put('length', 0, CONFIGURABLE);
  functionProto.put('name', '', CONFIGURABLE);
  const errorProto = child();
  return {
    global: child(),
    objectProto,
    functionProto,
    arrayProto: child(),
    iteratorProto: child(),
    errorProtos: Object.fromEntries(
      ERRORS.map((name) => [name, name === 'Error' ? errorProto : child(errorProto)]),
    ) as Record<ErrorName, Obj>,
    primitiveProtos: {
      string: new BoxObj(objectProto, ''),
      number: new BoxObj(objectProto, 0),
      boolean: new BoxObj(objectProto, false),
      symbol: child(),
      bigint: child(),
    },
  };
}

function installLibrary(global: Obj): void {
  useRegExpProto(new Obj(machine.intrinsics.objectProto));
  const installers = [
    installIterators,
    installObject,
    installFunction,
    installErrors,
    installArray,
    installString,
    installPrimitives,
    installMath,
    installDate,
    installRegExp,
    installJson,
    installCollections,
    installPromise,
    installReflect,
    installGenerators,
    installHelpers,
    installGlobals,
  ];
  for (const install of installers) install(global);
}

function runHelpers(global: Obj): void {
  const text = `function () {${HELPER_SOURCE}}`;
  const code = compileFunction(parseFunction(text), null, { text: `(${text})`, lines: undefined });
  new Closure(code, new Env([], null)).call(global, []);
}

/** Marks every object that can be reached as pristine, and freezes its properties. */
function seal(intrinsics: Intrinsics): void {
  const { global, errorProtos, primitiveProtos, ...others } = intrinsics;
  const queue: Value[] = [
    global,
    ...Object.values(errorProtos),
    ...Object.values(primitiveProtos),
    ...Object.values(others),
  ];
  while (queue.length > 0) {
    const object = queue.pop();
    if (!(object instanceof Obj) || object.pristine) continue;
    if (object instanceof Closure) object.materialise();
    if (object instanceof ArrayObj) throw new TypeError('The pristine realm must not hold arrays');
    for (const prop of object.props.values()) Object.freeze(prop);
    object.pristine = true;
    object.visit((value) => queue.push(value));
  }
}
