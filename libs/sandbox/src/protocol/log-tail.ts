import type { LogLevel, LogLine } from './run.js';

const HEADER_WORDS = 2;
/** The number of the run that the lines are of. */
const RUN = 0;
/** Bytes in use. */
const USED = 1;
/** Ends a line: no byte of UTF-8. */
const END = 0xff;
const LEVELS: Readonly<Record<string, LogLevel>> = { d: 'debug', i: 'info', w: 'warn', e: 'error' };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * The latest lines of a thread's log in shared memory: what is left of a run whose thread has to be ended. One byte of
 * level, the text as UTF-8 and 0xff for each line.
 */
export class LogTail {
  readonly buffer: SharedArrayBuffer;
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;

  constructor(buffer = new SharedArrayBuffer(64 * 1024)) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer, 0, HEADER_WORDS);
    this.bytes = new Uint8Array(buffer, HEADER_WORDS * 4);
  }

  /** The thread says: from here on, lines are of that run. */
  begin(run: number): void {
    Atomics.store(this.words, USED, 0);
    Atomics.store(this.words, RUN, run);
  }

  /** The thread adds a line of at most so many bytes; one that is longer than all of the room is left out. */
  add(level: LogLevel, text: string, size: number): void {
    if (size + 2 > this.bytes.length) return;
    const at = this.makeRoom(size + 2);
    this.bytes[at] = level.charCodeAt(0);
    const { written } = encoder.encodeInto(text, this.bytes.subarray(at + 1));
    this.bytes[at + 1 + written] = END;
    Atomics.store(this.words, USED, at + written + 2);
  }

  /** The pool reads the lines of a run. Nothing in here is to be trusted. */
  lines(run: number): LogLine[] {
    if (Atomics.load(this.words, RUN) !== run) return [];
    // a copy: the thread may be writing
    const bytes = this.bytes.slice(0, Math.max(0, Atomics.load(this.words, USED)));
    const lines: LogLine[] = [];
    for (let from = 0, end = bytes.indexOf(END); end >= 0; from = end + 1, end = bytes.indexOf(END, from)) {
      const level = LEVELS[String.fromCharCode(bytes[from] as number)];
      if (level) lines.push({ level, message: decoder.decode(bytes.subarray(from + 1, end)) });
    }
    return lines;
  }

  /** Where so many bytes are free: the older half of the lines makes room, then all of them. */
  private makeRoom(size: number): number {
    const used = Atomics.load(this.words, USED);
    if (used + size <= this.bytes.length) return used;
    const half = this.bytes.indexOf(END, used >> 1) + 1;
    const left = half > 0 && half < used ? used - half : 0;
    if (left === 0 || left + size > this.bytes.length) return 0;
    this.bytes.copyWithin(0, half, used);
    return left;
  }
}
