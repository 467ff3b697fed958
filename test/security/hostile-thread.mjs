// A thread that somebody has taken over, as `wire-fuzz.spec.ts` starts it in the place of `thread.main`: it does what the
// input of its run says (`record.steps`), and serves inputs without steps as an honest thread would.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { Mailbox } from '../../libs/sandbox/dist/esm/protocol/mailbox.js';

const READY = 4;
const CALL = 5;
const RESULT = 6;
const mailbox = new Mailbox(workerData.mailbox);
const words = new Int32Array(workerData.mailbox, 0, 10);
const nap = new Int32Array(new SharedArrayBuffer(4));
let seen = 0;
let serving = 0;

function send(kind, text) {
  let whole;
  mailbox.send('thread', kind, text, (large) => (whole = large));
  parentPort.postMessage(whole === undefined ? null : [serving, whole]);
}

function receive() {
  mailbox.waitFor('pool', seen);
  seen = mailbox.sequence('pool');
  return mailbox.text('pool') ?? receiveMessageOnPort(parentPort)?.message ?? '';
}

/** One query, and what it came to as the result. */
function serveHonestly() {
  send(CALL, JSON.stringify({ method: 'query', args: ['honest'], deferred: [] }));
  const { value } = JSON.parse(receive());
  send(RESULT, `${JSON.stringify({ outcome: 'ok', logs: [], cpuMs: 1 })}\n${JSON.stringify(value)}\n`);
}

const STEPS = {
  send: ({ kind, text }) => send(kind, text),
  post: ({ value }) => parentPort.postMessage(value),
  write: ({ word, value }) => Atomics.store(words, word, value),
  // the mailbox says that there is a message, and nobody is told
  feign: ({ kind }) => {
    Atomics.store(words, 3, kind);
    Atomics.add(words, 1, 1);
  },
  wait: ({ ms }) => Atomics.wait(nap, 0, 0, ms),
  answer: () => Atomics.wait(words, 0, seen, 20),
  throw: () => {
    throw new Error('the thread dies');
  },
};

send(READY, '');
for (;;) {
  const text = receive();
  const lines = text.split('\n');
  let steps;
  try {
    steps = JSON.parse(lines.at(-1)).record?.steps;
  } catch {
    // an answer, or "stop", to a message that was sent on nobody's behalf
    continue;
  }
  serving = mailbox.run('pool');
  mailbox.speakOf(serving);
  if (!steps) serveHonestly();
  else for (const step of steps) STEPS[step.do](step);
}
