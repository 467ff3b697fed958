// The entry of the child process of `isolation: 'process'`: a pool of threads, reached through the IPC channel.
import type { BridgeReply } from '../../protocol/bridge-call.js';
import type { FromChild, ToChild, TravellingRun } from './process-messages.js';
import { ThreadPool } from './thread-pool.js';

/** A run in this process: how to cancel it, and who waits for the answer to which of its calls. */
interface Guest {
  readonly controller: AbortController;
  readonly answers: Map<number, (reply: BridgeReply) => void>;
}

const guests = new Map<number, Guest>();
let pool: ThreadPool | undefined;

function say(message: FromChild): void {
  process.send?.(message);
}

async function host(id: number, run: TravellingRun): Promise<void> {
  if (!pool) return;
  const guest: Guest = { controller: new AbortController(), answers: new Map() };
  guests.set(id, guest);
  let turn = 0;
  const onCall = (call: Parameters<typeof ask>[2]) => ask(id, ++turn, call, guest);
  const result = await pool.run({ ...run, onCall, signal: guest.controller.signal });
  guests.delete(id);
  say({ type: 'result', id, result, stats: pool.stats() });
}

function ask(id: number, turn: number, call: Extract<FromChild, { type: 'call' }>['call'], guest: Guest) {
  return new Promise<BridgeReply>((resolve) => {
    guest.answers.set(turn, resolve);
    say({ type: 'call', id, turn, call });
  });
}

function answer(id: number, turn: number, reply: BridgeReply): void {
  const answers = guests.get(id)?.answers;
  answers?.get(turn)?.(reply);
  answers?.delete(turn);
}

async function close(drainMs: number): Promise<void> {
  await pool?.close(drainMs);
  process.disconnect();
}

function receive(message: ToChild): void {
  if (message.type === 'run') void host(message.id, message.run);
  else if (message.type === 'reply') answer(message.id, message.turn, message.reply);
  else if (message.type === 'cancel') guests.get(message.id)?.controller.abort();
  else if (message.type === 'close') void close(message.drainMs);
  else {
    pool = new ThreadPool(message.options);
    pool.warm();
  }
}

process.on('message', receive);
// the processor is gone: so are its runs
process.on('disconnect', () => process.exit(0));
