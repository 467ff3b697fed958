// The entry of the child process of `isolation: 'process'`: a pool of threads, reached through the pipe it gets as its file 3.
import { Socket } from 'node:net';
import { FrameReader, writeFrame } from './frames.js';
import {
  READY_FRAME,
  readToChild,
  type ToChild,
  type TravellingRun,
  writeCall,
  writeReplaced,
  writeResult,
} from './process-messages.js';
import { ThreadPool } from './thread-pool.js';
import type { WrittenReply } from './wire.js';

/** A run in this process: how to cancel it, and who waits for the answer to which of its calls. */
interface Guest {
  readonly controller: AbortController;
  readonly answers: Map<number, (reply: WrittenReply) => void>;
}

const link = new Socket({ fd: 3, readable: true, writable: true });
const guests = new Map<number, Guest>();
let pool: ThreadPool | undefined;

async function host(id: number, run: TravellingRun): Promise<void> {
  if (!pool) return;
  const guest: Guest = { controller: new AbortController(), answers: new Map() };
  guests.set(id, guest);
  let turn = 0;
  const onCall = (_call: unknown, _signal: unknown, text: string) => ask(id, ++turn, text, guest);
  const result = await pool.run({ ...run, onCall, signal: guest.controller.signal });
  guests.delete(id);
  writeFrame(link, writeResult(id, result, pool.stats()));
}

function ask(id: number, turn: number, text: string, guest: Guest): Promise<WrittenReply> {
  return new Promise((resolve) => {
    guest.answers.set(turn, resolve);
    writeFrame(link, writeCall(id, turn, text));
  });
}

function answer(id: number, turn: number, reply: WrittenReply): void {
  const answers = guests.get(id)?.answers;
  answers?.get(turn)?.(reply);
  answers?.delete(turn);
}

async function close(drainMs: number): Promise<void> {
  await pool?.close(drainMs);
  link.end(() => process.exit(0));
}

function receive(message: ToChild): void {
  if (message.type === 'run') void host(message.id, message.run);
  else if (message.type === 'reply') answer(message.id, message.turn, message.reply);
  else if (message.type === 'cancel') guests.get(message.id)?.controller.abort();
  else if (message.type === 'close') void close(message.drainMs);
  else {
    pool = new ThreadPool({
      ...message.options,
      onReplaced: (reason) => writeFrame(link, writeReplaced(reason)),
    });
    pool.warm();
  }
}

const reader = new FrameReader(
  (frame) => receive(readToChild(frame)),
  () => process.exit(1),
);
link.on('data', (chunk: Buffer) => reader.push(chunk));
// the processor is gone: so are its runs
link.on('error', () => process.exit(0));
link.on('close', () => process.exit(0));
writeFrame(link, READY_FRAME);
