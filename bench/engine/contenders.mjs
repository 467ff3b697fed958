// What `bench engine` compares: our pools, the article's thread, native functions in our threads, a bare port.
import { copyFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { answer, INPUT } from './scripts.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const dist = join(root, 'libs/sandbox/dist/esm');
export const library = (path, from = dist) => import(pathToFileURL(join(from, path)).href);

/** A pool of ours with one script; `once()` runs it to its end. */
export async function ourPool({ source, engine = 'quickjs', threads = 1, onCall, limits = {}, from = dist }) {
  const { ThreadPool } = await library('processor/pool/thread-pool.js', from);
  const { DEFAULT_LIMITS } = await library('protocol/limits.js');
  const { createScriptCompiler } = await library('scripts/compiler/compiler.js');
  const compiler = createScriptCompiler();
  const { script, error } = await compiler.compile({ source, language: 'javascript', engine });
  await compiler.close();
  if (error) throw new Error(error.message);
  const pool = new ThreadPool({ threads, engine, idleMs: 600_000 });
  const request = {
    script,
    source,
    tenantId: 'acme',
    input: INPUT,
    limits: { ...DEFAULT_LIMITS, ...limits },
    methods: ['query', 'execute', 'sendEmail'],
    deferred: false,
    onCall: onCall ?? (async ({ method, args }) => ({ ok: true, value: answer(method, args[0]) })),
  };
  const once = async () => {
    const result = await pool.run(request);
    if (result.outcome !== 'ok') throw new Error(`${result.outcome}: ${result.error?.message}`);
    return result;
  };
  return { once, pool, close: () => pool.close(0) };
}

/** A copy of the built library whose threads run scripts as functions of their own, without a sandbox. */
export function nativeLibrary() {
  const copy = join(root, 'node_modules/.cache', `nestjs-sandbox-engine-${process.pid}`);
  mkdirSync(copy, { recursive: true });
  cpSync(dist, join(copy, 'esm'), { recursive: true });
  writeFileSync(join(copy, 'package.json'), '{"type":"module"}');
  const engine = fileURLToPath(new URL('./native-engine.mjs', import.meta.url));
  copyFileSync(engine, join(copy, 'esm/thread/engines/quickjs/quickjs.engine.js'));
  return { from: join(copy, 'esm'), remove: () => rmSync(copy, { recursive: true, force: true }) };
}

/** The article's thread: stock js-interpreter, one action after the other. */
export function articleThread(source) {
  const thread = new Worker(new URL('./article.thread.mjs', import.meta.url));
  const input = JSON.stringify(INPUT);
  let done;
  thread.on('message', async ({ method, argument, result }) => {
    if (method === undefined) return done(result);
    const value = await (async () => answer(method, JSON.parse(argument)))();
    thread.postMessage({ answer: JSON.stringify(value) });
  });
  const once = () =>
    new Promise((resolve) => {
      done = resolve;
      thread.postMessage({ run: { source, input } });
    });
  return { once, close: () => thread.terminate() };
}

/** A thread that answers whatever it is sent. */
export function pingThread() {
  const thread = new Worker(new URL('./ping.thread.mjs', import.meta.url));
  let done;
  thread.on('message', () => done());
  const once = () =>
    new Promise((resolve) => {
      done = resolve;
      thread.postMessage(null);
    });
  return { once, close: () => thread.terminate() };
}
