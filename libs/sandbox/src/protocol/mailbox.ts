/** What a message between the pool and a thread is about. */
export const MESSAGE = {
  /** Pool to thread: run a script. Lines: `RunHeader` as JSON, code (empty where the thread knows the hash), input. */
  run: 1,
  /** Pool to thread: the `BridgeReply` as JSON. */
  reply: 2,
  /** Pool to thread: the run has been ended, stop it. */
  stop: 3,
  /** Thread to pool: the engine is there. */
  ready: 4,
  /** Thread to pool: the `BridgeCall` as JSON. */
  call: 5,
  /** Thread to pool: the run is over. Lines: `RunReport` as JSON, value, deferred calls. */
  result: 6,
  /** Thread to pool: the code of that hash is not here any more; send it again. */
  unknown: 7,
  /** Thread to pool: our own fault; the text says what. The thread is of no more use. */
  fault: 8,
} as const;

/** The number of a message kind. */
export type MessageKind = (typeof MESSAGE)[keyof typeof MESSAGE];

/** One end of a mailbox. */
export type MailboxEnd = 'pool' | 'thread';

const HEADER_WORDS = 12;
const SEQUENCE = { pool: 0, thread: 1 } as const;
const KIND = { pool: 2, thread: 3 } as const;
const LENGTH = { pool: 4, thread: 5 } as const;
/** A length that says: too large for the mailbox, the text comes through the port. */
const THROUGH_PORT = -1;
/** Milliseconds spent in the script before `RESUMED_AT`. */
const SPENT = 6;
/** When the script last went on, in milliseconds of the shared clock; 0 while it does not run. */
const RESUMED_AT = 7;
/** The number of the run that each end's latest message is about. */
const RUN = { pool: 8, thread: 9 } as const;

/** Not 0 while the pool looks into the mailbox by itself, so that it need not be woken through the port. */
const WATCHED = 10;

/** A clock that threads of one process share: whole milliseconds, never 0, starting anew every 12 days. */
function sharedClock(): number {
  return (Math.floor(performance.timeOrigin + performance.now()) & 0x3fffffff) + 1;
}

/** Looks at the sequence number between two looks at the clock, each of which costs as much as some 20. */
const LOOKS_PER_CLOCK = 50;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Shared memory through which a pool and one of its threads exchange texts, strictly in turns. Layout: 12 words (sequence,
 * kind and length of each end's latest message; the thread's CPU clock; the run each is about; whether the pool is
 * watching; one unused), then the text as UTF-8.
 *
 * Whoever waits re-checks the sequence number after every wake: a notify can wake a waiter that registered only after the
 * value had changed, and what it would read then is its own old message.
 */
export class Mailbox {
  readonly buffer: SharedArrayBuffer;
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  private speaking = 0;

  constructor(buffer = new SharedArrayBuffer(64 * 1024)) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer, 0, HEADER_WORDS);
    this.bytes = new Uint8Array(buffer, HEADER_WORDS * 4);
  }

  /** How many messages an end has sent. */
  sequence(end: MailboxEnd): number {
    return Atomics.load(this.words, SEQUENCE[end]);
  }

  /**
   * Puts a message there and wakes whoever waits for it. A text that does not fit goes through `sendThroughPort`, which
   * must have queued it when it returns.
   */
  send(from: MailboxEnd, kind: MessageKind, text: string, sendThroughPort: (text: string) => void): void {
    let length = this.put(text);
    if (length === undefined) {
      sendThroughPort(text);
      length = THROUGH_PORT;
    }
    this.words[KIND[from]] = kind;
    this.words[LENGTH[from]] = length;
    Atomics.store(this.words, RUN[from], this.speaking);
    Atomics.add(this.words, SEQUENCE[from], 1);
    Atomics.notify(this.words, SEQUENCE[from]);
  }

  private put(text: string): number | undefined {
    if (text.length > this.bytes.length) return undefined;
    const { read, written } = encoder.encodeInto(text, this.bytes);
    return read === text.length ? written : undefined;
  }

  /** Kind of the latest message of an end. */
  kind(from: MailboxEnd): number {
    return this.words[KIND[from]] as number;
  }

  /** Text of the latest message of an end; `undefined` where it comes through the port. */
  text(from: MailboxEnd): string | undefined {
    const length = this.words[LENGTH[from]] as number;
    if (length === THROUGH_PORT) return undefined;
    return decoder.decode(this.bytes.subarray(0, Math.min(Math.max(length, 0), this.bytes.length)));
  }

  /** The number of the run that the latest message of an end is about; 0 before the first. To be read before the text. */
  run(end: MailboxEnd): number {
    return Atomics.load(this.words, RUN[end]);
  }

  /** Says of which run the next messages of this end are: what a thread sends about an earlier one is none of the next's. */
  speakOf(run: number): void {
    this.speaking = run;
  }

  /** Blocks the calling thread until an end has sent another message than the `seen` ones. */
  waitFor(from: MailboxEnd, seen: number): void {
    while (Atomics.load(this.words, SEQUENCE[from]) === seen) Atomics.wait(this.words, SEQUENCE[from], seen);
  }

  /** Looks for another message than the `seen` ones for at most so many milliseconds, without sleeping. */
  spinFor(from: MailboxEnd, seen: number, ms: number): boolean {
    const until = performance.now() + ms;
    do {
      for (let i = 0; i < LOOKS_PER_CLOCK; i++) if (Atomics.load(this.words, SEQUENCE[from]) !== seen) return true;
    } while (performance.now() < until);
    return false;
  }

  /**
   * The pool says whether it looks into the mailbox by itself. When it stops it must look once more: a thread that sent
   * something before that has not woken it.
   */
  watch(watched: boolean): void {
    Atomics.store(this.words, WATCHED, watched ? 1 : 0);
  }

  /** Whether the pool looks into the mailbox by itself. To be read after a message was sent. */
  get watched(): boolean {
    return Atomics.load(this.words, WATCHED) !== 0;
  }

  /** The thread says: the script goes on, having spent that many milliseconds before. */
  resume(spentMs: number): void {
    Atomics.store(this.words, SPENT, Math.floor(spentMs));
    Atomics.store(this.words, RESUMED_AT, sharedClock());
  }

  /** The thread says: the script does not run now. */
  pause(): void {
    Atomics.store(this.words, RESUMED_AT, 0);
  }

  /** Milliseconds the script of a thread has spent, or `undefined` while it does not run. */
  spentMs(): number | undefined {
    const resumedAt = Atomics.load(this.words, RESUMED_AT);
    if (resumedAt === 0) return undefined;
    return Math.max(0, sharedClock() - resumedAt) + Atomics.load(this.words, SPENT);
  }
}
