import type { RawError } from '../../protocol/raw-error.js';
import { PoolProcess, type ProcessListener } from './pool-process.js';
import { ProcessRun } from './process-run.js';
import type { PoolResult, PoolRun, PoolStats, ReplacedReason, ScriptPool } from './script-pool.js';
import type { ThreadPoolOptions } from './thread-pool.js';

/** Milliseconds between two looks for a child that hangs. */
const CHECK_MS = 1_000;
/** Children that fail to start in a row, after which the runs that wait for one are given up. */
const START_FAILURES = 3;
/** Suspects that are repeated at the same time, each in a child of its own. */
const CELLS = 4;

/**
 * A pool whose threads live in a supervised child process: with js-interpreter, which runs strings and regular expressions
 * on the host's engine, a script can abort a whole process.
 *
 * When the child dies, each run that was in it is repeated alone, in a child of its own (a cell): the one that ends its
 * cell, too, is charged, the others never notice. That goes for a single run as well: it may have come to a child that was
 * dying of the one before.
 */
export class ProcessPool implements ScriptPool, ProcessListener {
  private main: PoolProcess | undefined;
  private readonly cells = new Set<PoolProcess>();
  private readonly suspects: ProcessRun[] = [];
  private readonly processes = new Set<PoolProcess>();
  private lastId = 0;
  private startFailures = 0;
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
    this.watchSignal(run);
    this.beginInMain(run);
  }

  private beginInMain(run: ProcessRun): void {
    // one that was killed may take a moment to be gone
    if (this.main?.killedFor) this.main = undefined;
    this.main ??= this.start(this.options);
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
    const child = new PoolProcess(options, this);
    this.processes.add(child);
    this.timer ??= setInterval(() => this.check(), CHECK_MS).unref();
    return child;
  }

  onReplaced(reason: ReplacedReason): void {
    this.options.onReplaced?.(reason);
  }

  onDeath(child: PoolProcess, runs: readonly ProcessRun[]): void {
    if (!this.closed && runs.length > 0) this.options.onReplaced?.('process');
    this.processes.delete(child);
    if (this.main === child) this.main = undefined;
    const wasCell = this.cells.delete(child);
    this.startFailures = child.ready ? 0 : this.startFailures + 1;
    if (!child.ready) this.beginAgain(runs);
    else if (wasCell) for (const run of runs) this.charge(run, child);
    else this.suspects.push(...runs);
    this.trySuspects();
  }

  /** Runs of a child that never was there: none of them did anything. */
  private beginAgain(runs: readonly ProcessRun[]): void {
    for (const run of runs) {
      if (this.closed || run.request.signal?.aborted) run.fail('cancelled', CANCELLED);
      else if (this.startFailures >= START_FAILURES) run.fail('internalError', NO_PROCESS);
      else this.beginInMain(run);
    }
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

  private charge(run: ProcessRun, { killedFor }: PoolProcess): void {
    const { memoryBytes, wallMs } = run.request.limits;
    if (this.closed) run.fail('cancelled', CANCELLED);
    else if (killedFor === 'misconduct') run.fail('exception', MISCONDUCT);
    else if (killedFor === 'overdue') run.fail('exceededWall', limitError(`took more than ${wallMs} ms`));
    else run.fail('exceededMemory', limitError(`ended the process it ran in: it held more than ${memoryBytes} bytes`));
  }

  private check(): void {
    for (const child of this.processes) child.check(performance.now());
  }

  private killAll(): void {
    for (const child of this.processes) child.kill('close');
  }
}

function limitError(what: string): RawError {
  return { name: 'LimitError', message: `The script ${what}.` };
}

const MISCONDUCT: RawError = {
  name: 'Error',
  message: 'The process of this run said what no run may say, and was ended.',
  code: 'SANDBOX_MISCONDUCT',
};
const NO_PROCESS: RawError = {
  name: 'Error',
  message: `The process that runs scripts apart did not start, ${START_FAILURES} times in a row: see what limits the processes and the memory of this machine.`,
  code: 'SANDBOX_NOT_STARTED',
};
const CANCELLED: RawError = { name: 'AbortError', message: 'The run was cancelled.' };
const CLOSED: RawError = { name: 'AbortError', message: 'The pool is closed.', code: 'SANDBOX_POOL_CLOSED' };
