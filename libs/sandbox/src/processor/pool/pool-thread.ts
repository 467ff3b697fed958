import { Worker } from 'node:worker_threads';
import { LogTail } from '../../protocol/log-tail.js';
import { Mailbox, MESSAGE } from '../../protocol/mailbox.js';
import type { LogLine } from '../../protocol/run.js';
import type { CompiledScript, EngineId } from '../../protocol/script.js';
import { PORT, type RunHeader, type ThreadData } from '../../protocol/thread-messages.js';
import type { ActiveRun, RunLink } from './active-run.js';
import type { MailboxWatch, WatchedMailbox } from './mailbox-watch.js';
import type { PoolRun, ReplacedReason } from './script-pool.js';
import { quickJsModule, threadEntry } from './thread-entry.js';

/**
 * Where a thread stands:
 *
 *   starting ─► idle ─► running ─► idle            settling: the thread cleans up behind a result
 *                 ▲        └─────► settling ─► idle
 *                 gone: ended, dead, or of no more use; from every state
 */
export type ThreadState = 'starting' | 'idle' | 'running' | 'settling' | 'gone';

/** Why a thread is gone: as the event `thread.replaced` says it, or because its pool was closed. */
export type ThreadEnd = ReplacedReason | 'closed';

/** What a thread tells its pool. */
export interface ThreadListener {
  /** Ready for a run. */
  onIdle(thread: PoolThread): void;
  /** A run that the thread has not begun, and will not. */
  onUnserved(run: ActiveRun): void;
  /** Gone; `started` says whether it was ever ready, `error` what it died of. */
  onGone(thread: PoolThread, started: boolean, reason: ThreadEnd, error?: Error): void;
}

/** A thread that neither a heap nor a recursion takes the process down with; the engines have limits of their own. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 };
/** Looks at the deadlines, one every 10 ms, that a message may stay unread: longer, and the thread only pretends. */
const UNREAD_LOOKS = 100;
/** Milliseconds a thread may clean up behind a result. */
const SETTLE_MS = 20_000;
/** Script hashes a pool remembers of a thread; a thread remembers 512. */
const KNOWN_SCRIPTS = 400;

/** A `worker_threads.Worker`, its mailbox and the run it has. Nothing that it sends can throw here. */
export class PoolThread implements RunLink, WatchedMailbox {
  state: ThreadState = 'starting';
  idleSince = 0;
  private readonly mailbox = new Mailbox();
  private readonly logTail = new LogTail();
  private readonly worker: Worker;
  private readonly known = new Set<string>();
  private run: ActiveRun | undefined;
  private seen = 0;
  private unread = 0;
  private resent = false;
  /** Whether the thread has said anything about its present run. */
  private heard = false;
  /** Names the present run; a copy of what the mailbox says, which the thread can write to. */
  private number = 0;
  private settlingSince = 0;
  private started = false;
  private readonly createdAt = performance.now();

  constructor(
    engine: EngineId,
    private readonly listener: ThreadListener,
    private readonly mailboxWatch: MailboxWatch,
    /** Milliseconds the thread may take until it is ready. */
    private readonly startMs: number,
  ) {
    const workerData: ThreadData = {
      mailbox: this.mailbox.buffer,
      logs: this.logTail.buffer,
      engine,
      wasm: quickJsModule(),
    };
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
    this.worker.on('exit', () => this.leave('fault'));
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
    this.resent = false;
    this.heard = false;
    this.number = newNumber();
    this.mailbox.speakOf(this.number);
    run.begin(this);
    this.sendRun(run, this.known.has(run.request.script.hash));
  }

  /** Ends what is past its deadline; called every few milliseconds while the thread has a run. */
  check(now: number): void {
    if (this.state === 'starting' && now - this.createdAt > this.startMs) return this.leave('start');
    // a message that has not been read yet: the thread is not computing, this process was busy
    this.unread = this.mailbox.sequence('thread') === this.seen ? 0 : this.unread + 1;
    if (this.unread > 0 && this.unread < UNREAD_LOOKS) return;
    if (this.state === 'settling' && now - this.settlingSince > SETTLE_MS) return this.leave('fault');
    this.run?.check(now, this.mailbox.spentMs());
  }

  reply(text: string): void {
    this.send(MESSAGE.reply, text);
  }

  stop(): void {
    this.send(MESSAGE.stop, '');
  }

  logs(): LogLine[] {
    return this.logTail.lines(this.number);
  }

  /** Ends the thread, with the run in it. */
  terminate(reason: ThreadEnd = 'deadline'): void {
    this.leave(reason);
  }

  private sendRun({ request, input }: ActiveRun, known: boolean): void {
    const { script } = request;
    const { hash } = script;
    this.remember(hash);
    this.send(MESSAGE.run, `${headerOf(request)}\n${known ? '' : JSON.stringify(script.code)}\n${input}`);
  }

  /** Once a run: what was just sent cannot be unknown. */
  private resend(run: ActiveRun): void {
    this.resent = true;
    this.sendRun(run, false);
  }

  private remember(hash: string): void {
    this.known.delete(hash);
    this.known.add(hash);
    if (this.known.size > KNOWN_SCRIPTS) this.known.delete(this.known.values().next().value as string);
  }

  private send(kind: 1 | 2 | 3, text: string): void {
    if (this.state === 'gone') return;
    this.mailbox.send('pool', kind, text, (large) => this.worker.postMessage(large));
    this.mailboxWatch.begin(this);
  }

  watch(watched: boolean): void {
    this.mailbox.watch(watched);
  }

  look(): boolean {
    return this.open(undefined);
  }

  private receive(message: unknown): void {
    this.open(message);
    // behind the result that it is about, which may not have been posted
    if (message === PORT.idle || message === PORT.replace) this.settled(message);
  }

  /** Takes the thread's message, if there is one; `posted` is what came through the port. */
  private open(posted: unknown): boolean {
    if (this.state === 'gone') return false;
    const sequence = this.mailbox.sequence('thread');
    if (sequence === this.seen) return false;
    const about = this.mailbox.run('thread');
    const text = this.mailbox.text('thread') ?? textThroughPort(posted, about);
    // that of an earlier message, or of none: the text of this one is still on its way
    if (text === undefined) return false;
    this.seen = sequence;
    this.mailboxWatch.end(this);
    // an earlier run's, which is over: such a thread is of no more use
    if (this.run && about !== this.number) this.fault(new Error('a message about another run'));
    else {
      this.heard = true;
      this.take(this.mailbox.kind('thread'), text);
    }
    return true;
  }

  /** Only a thread that is cleaning up has anything to say here: its run would be lost. */
  private settled(message: unknown): void {
    if (this.state !== 'settling') return;
    if (message === PORT.idle) this.becomeIdle();
    else this.leave('memory');
  }

  private take(kind: number, text: string): void {
    const { run } = this;
    if (kind === MESSAGE.ready && this.state === 'starting') return this.becomeIdle();
    if (kind === MESSAGE.call && run) return run.takeCall(text);
    if (kind === MESSAGE.unknown && run && !this.resent) return this.resend(run);
    if (kind === MESSAGE.result && run) return this.takeResult(run, text);
    this.fault(new Error(kind === MESSAGE.fault ? text : 'an unexpected message'));
  }

  private takeResult(run: ActiveRun, text: string): void {
    const report = run.takeResult(text);
    if (!report) return this.leave('fault');
    this.run = undefined;
    if (!report.settles) return this.becomeIdle();
    this.state = 'settling';
    this.settlingSince = performance.now();
  }

  private becomeIdle(): void {
    this.started = true;
    this.state = 'idle';
    this.idleSince = performance.now();
    this.listener.onIdle(this);
  }

  private fault(error: Error & { code?: string }): void {
    this.leave('fault', error);
  }

  private leave(reason: ThreadEnd, error?: Error & { code?: string }): void {
    if (this.state === 'gone') return;
    this.state = 'gone';
    this.mailboxWatch.end(this);
    const { run } = this;
    this.run = undefined;
    void this.worker.terminate();
    if (run) this.endRun(run, error);
    this.listener.onGone(this, this.started, reason, error);
  }

  /** A thread that ends without a word about its run may owe that to the one before: the run gets another one, once. */
  private endRun(run: ActiveRun, error?: Error & { code?: string }): void {
    if (error?.code === 'ERR_WORKER_OUT_OF_MEMORY') {
      const message = `The script held more than ${run.request.limits.memoryBytes} bytes of memory.`;
      run.fail('exceededMemory', { name: 'LimitError', message });
    } else if (this.heard || run.handedBack || run.ended) {
      run.fail('internalError', { name: 'Error', message: 'The thread of this run came to an end.' });
    } else {
      run.handedBack = true;
      this.listener.onUnserved(run);
    }
  }
}

/** A text that did not fit into the mailbox, if it is of that run. */
function textThroughPort(message: unknown, run: number): string | undefined {
  if (!Array.isArray(message) || message[0] !== run) return undefined;
  return typeof message[1] === 'string' ? message[1] : undefined;
}

/** Names a run to its thread: never 0, and not to be foretold from what the thread was told before. */
function newNumber(): number {
  return Math.floor(Math.random() * 0x7ffffffe) + 1;
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
