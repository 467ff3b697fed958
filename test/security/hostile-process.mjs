// A child process that somebody has taken over, as `process-fuzz.spec.ts` starts it in the place of `pool-process.main`: it
// does what the input of its run says (`record.steps`), and serves inputs without steps as an honest child would.
import { Socket } from 'node:net';

const link = new Socket({ fd: 3, readable: true, writable: true });
let received = Buffer.alloc(0);

function framed(text) {
  const body = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(body.length);
  return Buffer.concat([length, body]);
}

const frame = (text) => link.write(framed(text));

const result = (id, value) =>
  `{"type":"result","id":${id},"report":{"outcome":"ok","logs":[],"usage":{"cpuMs":1}},"stats":{}}\n${value}\n[]`;

const STEPS = {
  frame: (id, { text }) => frame(text.replaceAll('$ID', id)),
  frames: (id, { texts }) => link.write(Buffer.concat(texts.map((text) => framed(text.replaceAll('$ID', id))))),
  bytes: (_id, { base64 }) => link.write(Buffer.from(base64, 'base64')),
  wait: (_id, { ms }) => new Promise((resolve) => setTimeout(resolve, ms)),
};

async function serve(id, steps) {
  // One query; what it comes to is the result
  if (!steps) return frame(`{"type":"call","id":${id},"turn":1}\n{"method":"query","args":["honest"],"deferred":[]}`);
  for (const step of steps) await STEPS[step.do](id, step);
  link.end(() => process.exit(0));
}

function receive(text) {
  const [head, body = ''] = text.split('\n');
  const { type, id, run } = JSON.parse(head);
  if (type === 'run') void serve(id, run.input.record?.steps);
  else if (type === 'reply' && body) frame(result(id, JSON.stringify(JSON.parse(body).value)));
  else if (type === 'close') process.exit(0);
}

link.on('data', (chunk) => {
  received = Buffer.concat([received, chunk]);
  while (received.length >= 4 && received.length >= 4 + received.readUInt32LE()) {
    const end = 4 + received.readUInt32LE();
    receive(received.toString('utf8', 4, end));
    received = received.subarray(end);
  }
});
link.on('error', () => process.exit(0));
link.on('close', () => process.exit(0));
frame('{"type":"ready"}');
