import { availableParallelism } from 'node:os';
import type { RawError } from '../../protocol/raw-error.js';
import type { Outcome } from '../../protocol/run.js';
import type { EngineId } from '../../protocol/script.js';
import { ActiveRun } from './active-run.js';
import { CpuMeter } from './cpu-meter.js';
import { MailboxWatch } from './mailbox-watch.js';
import { PoolThread, type ThreadEnd, type ThreadListener } from './pool-thread.js';
import type { PoolResult, PoolRun, PoolStats, ReplacedListener, ScriptPool } from './script-pool.js';

/** Options of a `ThreadPool`. */
export interface ThreadPoolOptions {
  /** Most threads. Default 2 per core, at least 2. A thread takes about 22 MB. */
  readonly threads?: number;
  /** The engine each thread has ready when it starts. Default `quickjs`. */
  readonly engine?: EngineId;
  /** Milliseconds after which a thread that had nothing to do is ended; the last one stays. Default 10,000. */
  readonly idleMs?: number;
  /** Milliseconds a thread may take until it is ready; 100 on an idle machine. Default 20,000. */
  readonly startMs?: number;
  /** Told of every thread that is gone before the pool is closed. */
  readonly onReplaced?: ReplacedListener;
}

/** Milliseconds between two looks at the deadlines while something runs. */
const TICK_MS = 10;
/** Milliseconds a run waits before another thread is started for it. */
const PATIENCE_MS = 5;
/** Threads that fail to start in a row, after which waiting runs are given up. */
const START_FAILURES = 3;

/**
 * Threads of this process, one run in each at a time.
 *
 * It starts with one thread and grows while runs wait and the process has CPU time left: a thread that waits for bridge
 * calls costs memory only, but more busy threads than cores make everything slower (16 on 2 cores: half of 8). An idle
 * thread is ended after a while. Runs go to the thread that was used last, or to one that has the script's image.
 */
export class ThreadPool implements ScriptPool, ThreadListener {
  private readonly maximum: number;
  private readonly engine: EngineId;
  private readonly idleMs: number;
  private readonly startMs: number;
  private readonly onReplaced: ReplacedListener | undefined;
  private readonly cores = availableParallelism();
  private readonly cpu = new CpuMeter();
  private readonly mailboxWatch = new MailboxWatch();
  private readonly threads = new Set<PoolThread>();
  /** The thread used last is last. */
  private readonly idle: PoolThread[] = [];
  private readonly waiting: ActiveRun[] = [];
  private timer: NodeJS.Timeout | undefined;
  private shrinkTimer: NodeJS.Timeout | undefined;
  private startFailures = 0;
  private closed = false;
  private onDrained: (() => void) | undefined;

  constructor(options: ThreadPoolOptions = {}) {
    this.maximum = Math.max(1, options.threads ?? Math.max(2, this.cores * 2));
    this.engine = options.engine ?? 'quickjs';
    this.idleMs = options.idleMs ?? 10_000;
    this.startMs = options.startMs ?? 20_000;
    this.onReplaced = options.onReplaced;
  }

  async run(request: PoolRun): Promise<PoolResult> {
    const run = new ActiveRun(request, inputText(request) ?? '');
    if (this.closed) refuse(run, 'cancelled', CLOSED);
    else if (run.input === '') refuse(run, 'internalError', BAD_INPUT);
    else if (request.signal?.aborted) refuse(run, 'cancelled', CANCELLED);
    else this.enqueue(run);
    return run.result;
  }

  stats(): PoolStats {
    const busy = [...this.threads].filter((thread) => thread.active).length;
    return { threads: this.threads.size, busy, waiting: this.waiting.length };
  }

  /** Starts the first thread, so that the first run finds it warm. */
  warm(): void {
    if (this.threads.size === 0) this.startThread();
  }

  async close(drainMs = 10_000): Promise<void> {
    this.closed = true;
    clearInterval(this.shrinkTimer);
    if (this.isBusy()) {
      const drained = new Promise<void>((resolve) => (this.onDrained = resolve));
      const deadline = setTimeout(() => this.cancelAll(), drainMs);
      await drained;
      clearTimeout(deadline);
    }
    clearInterval(this.timer);
    for (const thread of this.threads) thread.terminate('closed');
  }

  onIdle(thread: PoolThread): void {
    this.startFailures = 0;
    const run = this.closed && this.waiting.length === 0 ? undefined : this.nextFor(thread);
    if (run) thread.begin(run);
    else this.idle.push(thread);
    this.afterChange();
  }

  onUnserved(run: ActiveRun): void {
    const thread = this.takeIdle(run.request.script.hash);
    if (thread) thread.begin(run);
    else this.waiting.unshift(run);
  }

  onGone(thread: PoolThread, started: boolean, reason: ThreadEnd, error?: Error): void {
    this.threads.delete(thread);
    if (reason !== 'closed') this.onReplaced?.(reason, error);
    const at = this.idle.indexOf(thread);
    if (at >= 0) this.idle.splice(at, 1);
    this.startFailures = started ? 0 : this.startFailures + 1;
    if (this.startFailures >= START_FAILURES) this.giveUp();
    else if (this.waiting.length > 0) this.grow();
    else if (!this.closed && this.threads.size === 0) this.startThread();
    this.afterChange();
  }

  private enqueue(run: ActiveRun): void {
    this.watchSignal(run);
    const thread = this.takeIdle(run.request.script.hash);
    if (thread) thread.begin(run);
    else {
      this.waiting.push(run);
      if (this.threads.size === 0) this.startThread();
    }
    this.tickWhileBusy();
  }

  private watchSignal(run: ActiveRun): void {
    const { signal } = run.request;
    if (!signal) return;
    const cancel = () => this.cancel(run);
    signal.addEventListener('abort', cancel, { once: true });
    void run.result.then(() => signal.removeEventListener('abort', cancel));
  }

  private cancel(run: ActiveRun): void {
    const at = this.waiting.indexOf(run);
    if (at >= 0) this.waiting.splice(at, 1);
    run.end('cancelled', CANCELLED);
    this.afterChange();
  }

  private cancelAll(): void {
    for (const run of [...this.waiting]) this.cancel(run);
    for (const thread of [...this.threads]) thread.active?.end('cancelled', CANCELLED);
  }

  /** The idle thread used last, or one of the others that knows the script. */
  private takeIdle(hash: string): PoolThread | undefined {
    for (let i = this.idle.length - 1; i >= 0; i--) {
      const thread = this.idle[i] as PoolThread;
      if (thread.knows(hash)) return this.idle.splice(i, 1)[0];
    }
    return this.idle.pop();
  }

  /** The run that has waited longest. */
  private nextFor(_thread: PoolThread): ActiveRun | undefined {
    return this.waiting.shift();
  }

  private startThread(): void {
    this.threads.add(new PoolThread(this.engine, this, this.mailboxWatch, this.startMs));
    this.shrinkTimer ??= setInterval(() => this.shrink(), Math.max(this.idleMs / 2, 10)).unref();
  }

  private grow(): void {
    const starting = [...this.threads].filter((thread) => thread.state === 'starting').length;
    const wanted = Math.min(this.waiting.length, this.cores) - starting;
    for (let i = 0; i < wanted && this.threads.size < this.maximum && this.hasHeadroom(); i++) this.startThread();
  }

  private hasHeadroom(): boolean {
    return this.threads.size < this.cores || this.cpu.load() < 0.85 * this.cores;
  }

  private shrink(): void {
    const now = performance.now();
    while (this.threads.size > 1 && this.idle.length > 0) {
      const coldest = this.idle[0] as PoolThread;
      if (now - coldest.idleSince < this.idleMs) break;
      coldest.terminate('idle');
    }
  }

  private giveUp(): void {
    for (const run of this.waiting.splice(0)) run.fail('internalError', NO_THREAD);
    this.startFailures = 0;
  }

  private isBusy(): boolean {
    return this.waiting.length > 0 || [...this.threads].some((thread) => thread.active !== undefined);
  }

  /** The timer keeps the process alive while there are runs; threads never do. */
  private tickWhileBusy(): void {
    if (!this.timer) this.timer = setInterval(() => this.tick(), TICK_MS);
    this.timer.ref();
  }

  private tick(): void {
    const now = performance.now();
    for (const thread of [...this.threads]) thread.check(now);
    const [oldest] = this.waiting;
    if (oldest && now - oldest.queuedAt > PATIENCE_MS) this.grow();
    if (this.isBusy()) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private afterChange(): void {
    if (this.isBusy()) return;
    this.timer?.unref();
    this.onDrained?.();
  }
}

function inputText({ input, tenantId }: PoolRun): string | undefined {
  try {
    return JSON.stringify({ ...input, tenantId });
  } catch {
    return undefined;
  }
}

function refuse(run: ActiveRun, outcome: Outcome, error: RawError): void {
  run.fail(outcome, error);
}

const CANCELLED: RawError = { name: 'AbortError', message: 'The run was cancelled.' };
const CLOSED: RawError = { name: 'AbortError', message: 'The pool is closed.', code: 'SANDBOX_POOL_CLOSED' };
const NO_THREAD: RawError = {
  name: 'Error',
  message: `No thread could be started to run the script in: ${START_FAILURES} in a row died or were not ready in time. See what limits the memory and the threads of this machine.`,
  code: 'SANDBOX_NOT_STARTED',
};
/** What a run is refused with whose input is no JSON. */
export const BAD_INPUT: RawError = { name: 'TypeError', message: "The run's input cannot be written as JSON." };
