import type { RawFrame } from '../../../protocol/raw-error.js';
import type { Env } from './evaluator/scope.js';
import { ArrayObj } from './arrays.js';
import { HeapWatch } from './heap.js';
import { FnObj, HIDDEN, Obj, type Value } from './values.js';

/** Names of the error classes a machine throws by itself. */
export type ErrorName =
  'Error' | 'TypeError' | 'RangeError' | 'ReferenceError' | 'SyntaxError' | 'URIError' | 'EvalError';

/** A guest's `throw` on its way through host frames. Not an `Error`: taking a host stack for each would cost 10 us. */
export class GuestThrow {
  /** Where it was thrown, where the value is no error that knows by itself. */
  readonly frames: readonly RawFrame[];
  constructor(readonly value: Value) {
    this.frames = value instanceof ErrorObj ? value.frames : captureFrames();
  }
}

/** Ends the run; nothing in the guest can catch it. */
export class Abort {
  constructor(readonly outcome: 'exceededCpu' | 'exceededMemory' | 'cancelled') {}
}

/** An instance of an error class: remembers where it was made. */
export class ErrorObj extends Obj {
  readonly frames: readonly RawFrame[] = captureFrames();
  constructor(proto: Obj | null) {
    super(proto);
    machine.charge(this.frames.length * FRAME_BYTES);
  }
  override visit(see: (value: Value) => void): number {
    return super.visit(see) + this.frames.length * FRAME_BYTES;
  }
  override get className(): string {
    return 'Error';
  }
}

/** A guest function being called. */
export interface Frame {
  readonly code: FrameCode;
  /** Offset in the text, kept up to date wherever something may throw; -1 while a lowered function calls its own core. */
  position: number;
  /** The variables of the call, for the measurement of memory. */
  env: Env | null;
  readonly caller: Frame | undefined;
}

/** What a frame tells about its function. */
export interface FrameCode {
  readonly name: string;
  /** Offsets at which the lines of its text begin; `undefined` for the realm's own code, which never shows. */
  readonly lines: readonly number[] | undefined;
}

/** The parts of the realm that the machine itself needs. */
export interface Intrinsics {
  readonly global: Obj;
  readonly objectProto: Obj;
  readonly functionProto: Obj;
  readonly arrayProto: Obj;
  readonly errorProtos: Record<ErrorName, Obj>;
  readonly primitiveProtos: Record<'string' | 'number' | 'boolean' | 'symbol' | 'bigint', Obj>;
  readonly iteratorProto: Obj;
}

/** Guest calls inside one another, before "Maximum call stack size exceeded"; the thread's own stack may end sooner. */
const MAX_DEPTH = 6_000;
/** Ticks (calls, loop turns, elements) between two looks at the clock: some 50 us. */
const FUEL = 1_024;
/** Frames kept with an error. */
const MAX_FRAMES = 20;
const FRAME_BYTES = 64;
/** Bytes charged between two looks at the heap (8 us each). */
const LOOK = 1 << 20;

/**
 * Where the heap's garbage cannot be collected (a pool in this process), estimates decide. What they cannot see shows in the
 * heap, as does garbage: past twice the limit and this much it is no garbage any more.
 */
const HEAP_SLACK = 48 * 1024 * 1024;

/** Something to be done once the script's own call is over. */
export interface Job {
  readonly run: () => void;
  /** The guest's values that it keeps, for the measurement of memory. */
  readonly keeps: readonly Value[];
}

/** What one run may use. */
export interface RunBudget {
  /** Milliseconds spent so far. */
  readonly cpuMs: () => number;
  readonly limitMs: number;
  readonly memoryBytes: number;
}

const NO_BUDGET: RunBudget = { cpuMs: () => 0, limitMs: Infinity, memoryBytes: 1 << 30 };

/**
 * The state of the one run that is under way. A thread runs one script at a time and nothing here suspends, so plain
 * fields of one object serve: every closure of the evaluator reads them directly.
 */
class Machine {
  intrinsics!: Intrinsics;
  frame: Frame | undefined;
  depth = 0;
  /** Counts the runs. */
  run = 0;
  fuel = FUEL;
  /** Bytes allocated since the last look at the heap. */
  private allocated = 0;
  private lookAt = Infinity;
  /** Bytes allocated since the live memory was estimated, and how many may be before it is again. */
  private unmeasured = 0;
  private measureAt = Infinity;
  peakBytes = 0;
  private readonly heap = new HeapWatch();
  maxString = 1 << 24;
  budget = NO_BUDGET;
  jobs: Job[] = [];
  /** Counts the measurements of memory: objects remember the last one that saw them. */
  measurement = 0;
  thawObject: (object: Obj) => void = () => undefined;
  /** Bytes that can be reached now. */
  measure: () => number = () => 0;

  start(budget: RunBudget): void {
    this.budget = budget;
    this.run++;
    this.frame = undefined;
    this.depth = 0;
    this.fuel = FUEL;
    this.allocated = this.unmeasured = 0;
    this.peakBytes = 0;
    this.heap.start();
    this.jobs = [];
    this.lookAt = LOOK;
    this.measureAt = Math.max(LOOK, budget.memoryBytes / 4);
    this.maxString = Math.min(1 << 28, Math.floor(budget.memoryBytes / 4));
  }

  stop(): void {
    this.start(NO_BUDGET);
    this.lookAt = Infinity;
  }

  /** One step of work. @throws Abort past the limit. */
  tick(): void {
    if (--this.fuel < 0) this.refuel();
  }

  /** Work of a native function, as ticks of about 50 ns. */
  spend(ticks: number): void {
    this.fuel -= ticks;
    if (this.fuel < 0) this.refuel();
  }

  refuel(): void {
    this.fuel = FUEL;
    if (this.budget.cpuMs() >= this.budget.limitMs) throw new Abort('exceededCpu');
  }

  /** Memory about to be allocated. @throws Abort where it would go past the limit. */
  charge(bytes: number): void {
    this.allocated += bytes;
    if (this.allocated > this.lookAt) this.look();
  }

  /** A string about to be made, of that many characters. */
  chargeString(length: number): void {
    if (length > this.maxString) throw new Abort('exceededMemory');
    if (length > 32) this.charge(length);
  }

  /** A string that grows by a part: only the part is charged, as the host shares the rest. */
  chargePart(length: number, part: number): void {
    if (length > this.maxString) throw new Abort('exceededMemory');
    this.charge(32 + part);
  }

  enter(code: FrameCode): void {
    if (++this.depth > MAX_DEPTH) this.overflow();
    if (--this.fuel < 0) this.refuel();
    this.frame = { code, position: 0, env: null, caller: this.frame };
  }

  leave(): void {
    this.depth--;
    this.frame = this.frame!.caller;
  }

  /** For whoever catches what came through frames: the frames above are gone. */
  restore(frame: Frame | undefined, depth: number): void {
    this.frame = frame;
    this.depth = depth;
  }

  private overflow(): never {
    this.depth -= 1;
    return throwError('RangeError', 'Maximum call stack size exceeded');
  }

  /** What is held decides, not what was allocated: most of that is garbage already. */
  private look(): void {
    const fresh = this.allocated;
    const { memoryBytes } = this.budget;
    this.allocated = 0;
    const held = this.heap.exact ? this.heap.held(memoryBytes, fresh - LOOK, this.measure) : this.estimated(fresh);
    this.peakBytes = Math.max(this.peakBytes, Math.min(held, memoryBytes));
    if (held > memoryBytes || fresh > memoryBytes) throw new Abort('exceededMemory');
  }

  private estimated(fresh: number): number {
    const { memoryBytes } = this.budget;
    this.unmeasured += fresh;
    if (this.heap.grown(fresh) > memoryBytes * 2 + HEAP_SLACK) return Infinity;
    if (this.unmeasured < this.measureAt) return Math.min(this.unmeasured, memoryBytes);
    this.unmeasured = 0;
    const live = this.measure();
    this.measureAt = Math.max(LOOK, (memoryBytes - live) / 2);
    return live;
  }
}

/** The machine. */
export const machine = new Machine();

/** Throws an error of the guest's realm. */
export function throwError(name: ErrorName, message: string): never {
  throw new GuestThrow(makeError(name, message));
}

/** An error of the guest's realm. */
export function makeError(name: ErrorName, message: string): ErrorObj {
  const error = new ErrorObj(machine.intrinsics.errorProtos[name]);
  error.put('message', message, HIDDEN);
  return error;
}

/** The guest's call stack, innermost first; frames of the realm's own code are left out. */
export function captureFrames(): RawFrame[] {
  const frames: RawFrame[] = [];
  for (let frame = machine.frame; frame && frames.length < MAX_FRAMES; frame = frame.caller) {
    const { lines, name } = frame.code;
    if (lines && frame.position >= 0) frames.push({ name, ...place(lines, frame.position) });
  }
  return frames;
}

function place(lines: readonly number[], offset: number): { line: number; column: number } {
  let low = 0;
  let high = lines.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (lines[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - lines[low]! + 1 };
}

/** Offsets at which the lines of a text begin. */
export function lineStarts(text: string): number[] {
  const starts = [0];
  for (const match of text.matchAll(/\r\n?|[\n\u2028\u2029]/g)) starts.push(match.index + match[0].length);
  return starts;
}

/**
 * What a `catch` sees of something that was thrown on the host: the guest's own value, or the guest's error for an
 * exhausted stack. Whatever ends the run, and faults of ours, go on.
 */
export function caught(thrown: unknown): GuestThrow {
  if (thrown instanceof GuestThrow) return thrown;
  if (thrown instanceof RangeError && /call stack/.test(thrown.message))
    return new GuestThrow(makeError('RangeError', 'Maximum call stack size exceeded'));
  // A library function was handed something it cannot work on: the script's fault, never ours.
  if (thrown instanceof TypeError) return new GuestThrow(makeError('TypeError', 'Not possible with such a value'));
  throw thrown;
}

/** A fresh ordinary object. */
export function newObject(): Obj {
  return new Obj(machine.intrinsics.objectProto);
}

/** A fresh array of the elements, which it takes over. */
export function newArray(elements: Value[]): ArrayObj {
  return new ArrayObj(machine.intrinsics.arrayProto, elements);
}

export function isCallable(value: Value): value is FnObj {
  return value instanceof FnObj;
}
