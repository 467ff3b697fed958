import { PoolProcess } from './pool-process.js';
import { ProcessRun } from './process-run.js';
import type { PoolResult, PoolRun, PoolStats, ScriptPool } from './script-pool.js';
import type { ThreadPoolOptions } from './thread-pool.js';

/** Milliseconds between two looks for a child that hangs. */
const CHECK_MS = 1_000;
/** Suspects that are repeated at the same time, each in a child of its own. */
const CELLS = 4;

/**
 * A pool whose threads live in a supervised child process: with js-interpreter, which runs strings and regular expressions
 * on the host's engine, a script can abort a whole process.
 *
 * When the child dies with one run in it, that run did it. With several, each is repeated alone in a child of its own (a
 * cell): the one that ends its cell, too, is charged, the others never notice.
 */
export class ProcessPool implements ScriptPool {
  private main: PoolProcess | undefined;
  private readonly cells = new Set<PoolProcess>();
  private readonly suspects: ProcessRun[] = [];
  private readonly processes = new Set<PoolProcess>();
  private lastId = 0;
  private closed = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: ThreadPoolOptions = {}) {}

  async run(request: PoolRun): Promise<PoolResult> {
    const run = new ProcessRun(++this.lastId, request);
    if (this.closed) run.fail('cancelled', CLOSED);
    else if (request.signal?.aborted) run.fail('cancelled', CANCELLED);
    else this.begin(run);
    return run.result;
  }

  stats(): PoolStats {
    const stats = this.main?.stats ?? { threads: 0, busy: 0, waiting: 0 };
    return { ...stats, busy: this.main?.runs.size ?? 0, waiting: this.suspects.length };
  }

  /** Starts the child, so that the first run finds it warm. */
  warm(): void {
    this.main ??= this.start(this.options);
  }

  async close(drainMs = 10_000): Promise<void> {
    this.closed = true;
    for (const child of this.processes) child.close(drainMs);
    const overdue = setTimeout(() => this.killAll(), drainMs + 1_000);
    await Promise.all([...this.processes].map((child) => child.gone));
    clearTimeout(overdue);
    clearInterval(this.timer);
  }

  private begin(run: ProcessRun): void {
    this.main ??= this.start(this.options);
    this.watchSignal(run);
    this.main.begin(run);
  }

  private watchSignal(run: ProcessRun): void {
    const { signal } = run.request;
    if (!signal) return;
    const cancel = () => [...this.processes].find((child) => child.runs.has(run.id))?.cancel(run);
    signal.addEventListener('abort', cancel, { once: true });
    void run.result.then(() => signal.removeEventListener('abort', cancel));
  }

  private start(options: ThreadPoolOptions): PoolProcess {
    const child = new PoolProcess(options, (process, runs) => this.onDeath(process, runs));
    this.processes.add(child);
    this.timer ??= setInterval(() => this.check(), CHECK_MS).unref();
    return child;
  }

  private onDeath(child: PoolProcess, runs: readonly ProcessRun[]): void {
    this.processes.delete(child);
    if (this.main === child) this.main = undefined;
    this.cells.delete(child);
    if (runs.length === 1) this.charge(runs[0] as ProcessRun);
    else this.suspects.push(...runs);
    this.trySuspects();
  }

  /** Each alone: whose child dies now did it. */
  private trySuspects(): void {
    while (this.cells.size < CELLS && this.suspects.length > 0) {
      const run = this.suspects.shift() as ProcessRun;
      if (this.closed || run.request.signal?.aborted) run.fail('cancelled', CANCELLED);
      else this.confine(run);
    }
  }

  private confine(run: ProcessRun): void {
    const cell = this.start({ ...this.options, threads: 1 });
    this.cells.add(cell);
    run.repeat();
    cell.begin(run);
    void run.result.then(() => cell.close(0));
  }

  private charge(run: ProcessRun): void {
    const message = `The script ended the process it ran in; it held more than ${run.request.limits.memoryBytes} bytes of memory.`;
    if (this.closed) run.fail('cancelled', CANCELLED);
    else run.fail('exceededMemory', { name: 'LimitError', message });
  }

  private check(): void {
    for (const child of this.processes) child.check(performance.now());
  }

  private killAll(): void {
    for (const child of this.processes) child.kill();
  }
}

const CANCELLED = { name: 'AbortError', message: 'The run was cancelled.' };
const CLOSED = { name: 'AbortError', message: 'The pool is closed.', code: 'SANDBOX_POOL_CLOSED' };
