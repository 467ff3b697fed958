// The entry of a worker thread: waits for runs, runs them one at a time, answers with what became of them.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { DEFAULT_LIMITS } from '../protocol/limits.js';
import { LogTail } from '../protocol/log-tail.js';
import { Mailbox, MESSAGE, type MessageKind } from '../protocol/mailbox.js';
import { PORT, type RunHeader, type RunReport, type ThreadData } from '../protocol/thread-messages.js';
import { Patience } from '../protocol/patience.js';
import type { CompiledScript, EngineId } from '../protocol/script.js';
import type { EngineResult, EngineRun, ScriptEngine } from './engine.js';
import { createQuickJsEngine } from './engines/quickjs/quickjs.engine.js';
import { LogBuffer } from './log-buffer.js';

/** Codes a thread remembers by hash, so that they need not travel again. */
const KNOWN_SCRIPTS = 512;

const data = workerData as ThreadData;
const port = parentPort as NonNullable<typeof parentPort>;
const mailbox = new Mailbox(data.mailbox);
const logTail = new LogTail(data.logs);
const engines = new Map<EngineId, ScriptEngine>();
const scripts = new Map<string, CompiledScript>();
const forReplies = new Patience();
const forRuns = new Patience();
let seen = 0;
/** The number of the present run, or of the latest. */
let serving = 0;

function send(kind: MessageKind, text = ''): void {
  let whole: string | undefined;
  mailbox.send('thread', kind, text, (large) => (whole = large));
  if (whole !== undefined) port.postMessage([serving, whole]);
  else if (!mailbox.watched) port.postMessage(null);
}

/** Blocks until the pool has sent the next message. */
function receive(patience: Patience): { kind: number; text: string } {
  patience.spin((ms) => mailbox.spinFor('pool', seen, ms));
  mailbox.waitFor('pool', seen);
  seen = mailbox.sequence('pool');
  return { kind: mailbox.kind('pool'), text: mailbox.text('pool') ?? fromPort() };
}

function fromPort(): string {
  const received = receiveMessageOnPort(port) as { message: string } | undefined;
  return received?.message ?? '';
}

async function createEngine(id: EngineId): Promise<ScriptEngine> {
  if (id === 'quickjs') return createQuickJsEngine(data.wasm);
  const { createJsInterpreterEngine } = await import('./engines/js-interpreter/js-interpreter.engine.js');
  return createJsInterpreterEngine();
}

async function engineOf(id: EngineId): Promise<ScriptEngine> {
  const known = engines.get(id);
  if (known) return known;
  const engine = await createEngine(id);
  engines.set(id, engine);
  return engine;
}

/** The script a run is about: the code that came along, or the one remembered; `undefined` where it is neither. */
function scriptOf(header: RunHeader, code: string): CompiledScript | undefined {
  const { engine, hash, async: isAsync } = header;
  const known = scripts.get(hash);
  if (known) scripts.delete(hash);
  else if (code === '') return undefined;
  const script = known ?? { engine, hash, code: JSON.parse(code) as string, async: isAsync, positions: NO_POSITIONS };
  scripts.set(hash, script);
  if (scripts.size > KNOWN_SCRIPTS) scripts.delete(scripts.keys().next().value as string);
  return script;
}

/** A thread never needs them: positions are translated in the pool. */
const NO_POSITIONS: CompiledScript['positions'] = { kind: 'insertions', insertions: [] };

/** Loaded before the first run, so that a sandbox of the usual size is there. */
const EMPTY: CompiledScript = { engine: data.engine, hash: '', code: '', async: false, positions: NO_POSITIONS };

/** What an engine is given, and the clock that stands still while the run waits for the host. */
class ThreadRun implements EngineRun {
  readonly script: CompiledScript;
  readonly input: string;
  readonly limits: RunHeader['limits'];
  readonly methods: readonly string[];
  readonly pureMethods: readonly string[];
  readonly deferred: boolean;
  readonly logs: LogBuffer;
  private readonly startedAt = performance.now();
  private waitedMs = 0;
  private over = false;

  constructor(header: RunHeader, script: CompiledScript, input: string) {
    this.script = script;
    this.input = input;
    this.limits = header.limits;
    this.methods = header.methods;
    this.pureMethods = header.pureMethods;
    this.deferred = header.deferred;
    this.logs = new LogBuffer(header.limits.logBytes, logTail);
  }

  call(request: string): string | undefined {
    if (this.over) return undefined;
    const askedAt = performance.now();
    mailbox.pause();
    send(MESSAGE.call, request);
    const { kind, text } = receive(forReplies);
    this.waitedMs += performance.now() - askedAt;
    mailbox.resume(this.cpuMs());
    if (kind === MESSAGE.reply) return text;
    this.over = true;
    return undefined;
  }

  log(level: Parameters<EngineRun['log']>[0], message: string): void {
    this.logs.add(level, message);
  }

  cpuMs(): number {
    return performance.now() - this.startedAt - this.waitedMs;
  }
}

function report(run: ThreadRun, result: EngineResult): string {
  const { value = '', deferred = '', ...rest } = result;
  const header: RunReport = { ...rest, logs: run.logs.kept(), cpuMs: run.cpuMs() };
  return `${JSON.stringify(header)}\n${value}\n${deferred}`;
}

/** The headers of the latest runs: runs of one script mostly come with the same one, and so get the same objects. */
const headers = new Map<string, RunHeader>();

function headerOf(text: string): RunHeader {
  const known = headers.get(text);
  if (known) return known;
  const header = JSON.parse(text) as RunHeader;
  headers.set(text, header);
  if (headers.size > KNOWN_SCRIPTS) headers.delete(headers.keys().next().value as string);
  return header;
}

/** Serves one `run` message. */
async function serve(text: string): Promise<void> {
  const first = text.indexOf('\n');
  const second = text.indexOf('\n', first + 1);
  const header = headerOf(text.slice(0, first));
  const script = scriptOf(header, text.slice(first + 1, second));
  if (!script) return send(MESSAGE.unknown);
  const engine = await engineOf(header.engine);
  await engine.load(script, header.limits);
  const run = new ThreadRun(header, script, text.slice(second + 1));
  mailbox.resume(0);
  const result = engine.run(run);
  mailbox.pause();
  send(MESSAGE.result, report(run, result));
  if (result.settles) await settle(engine);
}

/** Cleans up behind the result; the pool waits for this word before it sends the next run. */
async function settle(engine: ScriptEngine): Promise<void> {
  const stays = (await engine.settle?.()) ?? true;
  port.postMessage(stays ? PORT.idle : PORT.replace);
}

async function main(): Promise<void> {
  const engine = await engineOf(data.engine);
  await engine.load(EMPTY, DEFAULT_LIMITS);
  send(MESSAGE.ready);
  for (;;) {
    const { kind, text } = receive(forRuns);
    if (kind !== MESSAGE.run) continue;
    serving = mailbox.run('pool');
    mailbox.speakOf(serving);
    logTail.begin(serving);
    await serve(text);
  }
}

main().catch((error: unknown) => {
  send(MESSAGE.fault, error instanceof Error ? `${error.name}: ${error.message}` : 'unknown');
});
