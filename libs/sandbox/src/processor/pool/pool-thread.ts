import { Worker } from 'node:worker_threads';
import { Mailbox, MESSAGE } from '../../protocol/mailbox.js';
import type { CompiledScript, EngineId } from '../../protocol/script.js';
import { PORT, type RunHeader, type ThreadData } from '../../protocol/thread-messages.js';
import type { ActiveRun, RunLink } from './active-run.js';
import type { PoolRun } from './script-pool.js';
import { quickJsModule, threadEntry } from './thread-entry.js';

/**
 * Where a thread stands:
 *
 *   starting ─► idle ─► running ─► idle            settling: the thread cleans up behind a result
 *                 ▲        └─────► settling ─► idle
 *                 gone: ended, dead, or of no more use; from every state
 */
export type ThreadState = 'starting' | 'idle' | 'running' | 'settling' | 'gone';

/** What a thread tells its pool. */
export interface ThreadListener {
  /** Ready for a run. */
  onIdle(thread: PoolThread): void;
  /** Gone; `started` says whether it was ever ready. */
  onGone(thread: PoolThread, started: boolean): void;
}

/** A thread that neither a heap nor a recursion takes the process down with; the engines have limits of their own. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 };
/** Script hashes a pool remembers of a thread; a thread remembers 512. */
const KNOWN_SCRIPTS = 400;

/** A `worker_threads.Worker`, its mailbox and the run it has. Nothing that it sends can throw here. */
export class PoolThread implements RunLink {
  state: ThreadState = 'starting';
  idleSince = 0;
  private readonly mailbox = new Mailbox();
  private readonly worker: Worker;
  private readonly known = new Set<string>();
  private run: ActiveRun | undefined;
  private seen = 0;
  private started = false;
  private outOfMemory = false;

  constructor(
    engine: EngineId,
    private readonly listener: ThreadListener,
  ) {
    const workerData: ThreadData = { mailbox: this.mailbox.buffer, engine, wasm: quickJsModule() };
    this.worker = new Worker(threadEntry(), {
      workerData,
      env: {},
      argv: [],
      execArgv: [],
      stdin: false,
      stdout: true,
      stderr: true,
      resourceLimits: RESOURCE_LIMITS,
    });
    this.worker.on('message', (message: unknown) => this.receive(message));
    this.worker.on('error', (error: Error & { code?: string }) => this.fault(error));
    this.worker.on('exit', () => this.leave());
    this.worker.unref();
  }

  /** Whether the thread has been sent the script before: then it has its image, or at least its code. */
  knows(hash: string): boolean {
    return this.known.has(hash);
  }

  /** The run in the thread, if any. */
  get active(): ActiveRun | undefined {
    return this.run;
  }

  /** Hands a run to the idle thread. */
  begin(run: ActiveRun): void {
    this.state = 'running';
    this.run = run;
    run.begin(this);
    this.sendRun(run, this.known.has(run.request.script.hash));
  }

  /** Ends what is past its deadline; called every few milliseconds while the thread has a run. */
  check(now: number): void {
    // a message that has not been read yet: the thread is not computing, this process was busy
    if (this.mailbox.sequence('thread') !== this.seen) return;
    this.run?.check(now, this.mailbox.spentMs());
  }

  reply(text: string): void {
    this.send(MESSAGE.reply, text);
  }

  stop(): void {
    this.send(MESSAGE.stop, '');
  }

  terminate(): void {
    this.leave();
  }

  private sendRun({ request, input }: ActiveRun, known: boolean): void {
    const { script } = request;
    const { hash } = script;
    this.remember(hash);
    this.send(MESSAGE.run, `${headerOf(request)}\n${known ? '' : JSON.stringify(script.code)}\n${input}`);
  }

  private remember(hash: string): void {
    this.known.delete(hash);
    this.known.add(hash);
    if (this.known.size > KNOWN_SCRIPTS) this.known.delete(this.known.values().next().value as string);
  }

  private send(kind: 1 | 2 | 3, text: string): void {
    if (this.state === 'gone') return;
    this.mailbox.send('pool', kind, text, (large) => this.worker.postMessage(large));
  }

  private receive(message: unknown): void {
    if (this.state === 'gone') return;
    if (message === PORT.idle) return this.becomeIdle();
    if (message === PORT.replace) return this.leave();
    const sequence = this.mailbox.sequence('thread');
    if (sequence === this.seen) return;
    this.seen = sequence;
    const text = typeof message === 'string' ? message : this.mailbox.text('thread');
    this.take(this.mailbox.kind('thread'), text ?? '');
  }

  private take(kind: number, text: string): void {
    const { run } = this;
    if (kind === MESSAGE.ready && this.state === 'starting') return this.becomeIdle();
    if (kind === MESSAGE.call && run) return run.takeCall(text);
    if (kind === MESSAGE.unknown && run) return this.sendRun(run, false);
    if (kind === MESSAGE.result && run) return this.takeResult(run, text);
    this.fault(new Error(kind === MESSAGE.fault ? text : 'an unexpected message'));
  }

  private takeResult(run: ActiveRun, text: string): void {
    const report = run.takeResult(text);
    if (!report) return this.leave();
    this.run = undefined;
    if (report.settles) this.state = 'settling';
    else this.becomeIdle();
  }

  private becomeIdle(): void {
    this.started = true;
    this.state = 'idle';
    this.idleSince = performance.now();
    this.listener.onIdle(this);
  }

  private fault(error: Error & { code?: string }): void {
    this.outOfMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
    this.leave();
  }

  private leave(): void {
    if (this.state === 'gone') return;
    this.state = 'gone';
    const { run } = this;
    this.run = undefined;
    void this.worker.terminate();
    if (run && this.outOfMemory) {
      const message = `The script held more than ${run.request.limits.memoryBytes} bytes of memory.`;
      run.fail('exceededMemory', { name: 'LimitError', message });
    } else run?.fail('internalError', { name: 'Error', message: 'The thread of this run came to an end.' });
    this.listener.onGone(this, this.started);
  }
}

interface KnownHeader extends Pick<PoolRun, 'limits' | 'methods' | 'pureMethods' | 'deferred'> {
  readonly text: string;
}

/** The header of a script's latest run: mostly the next one's, too. */
const knownHeaders = new WeakMap<CompiledScript, KnownHeader>();

function headerOf({ script, limits, methods, pureMethods, deferred }: PoolRun): string {
  const known = knownHeaders.get(script);
  const same = known?.limits === limits && known.methods === methods && known.pureMethods === pureMethods;
  if (same && known.deferred === deferred) return known.text;
  const { engine, hash, async } = script;
  const header: RunHeader = { engine, hash, async, limits, methods, pureMethods: pureMethods ?? [], deferred };
  const text = JSON.stringify(header);
  knownHeaders.set(script, { limits, methods, pureMethods, deferred, text });
  return text;
}
