import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromChild, ToChild } from './process-messages.js';
import type { ProcessRun } from './process-run.js';
import type { PoolStats } from './script-pool.js';
import { builtFile } from './thread-entry.js';
import { BAD_INPUT, type ThreadPoolOptions } from './thread-pool.js';
import { NO_JSON } from './wire.js';

/** Milliseconds past a run's own limits after which its process is ended. */
const OVERDUE_MS = 15_000;

/** A child process with a pool of threads, and the runs it has. */
export class PoolProcess {
  stats: PoolStats = { threads: 1, busy: 0, waiting: 0 };
  readonly runs = new Map<number, ProcessRun>();
  /** Resolved when the process is gone. */
  readonly gone: Promise<void>;
  private readonly child: ChildProcess;

  constructor(
    options: ThreadPoolOptions,
    /** Called with the runs that were in the process when it died. */
    private readonly onDeath: (process: PoolProcess, runs: readonly ProcessRun[]) => void,
  ) {
    this.child = fork(fileURLToPath(builtFile('./pool-process.main.js')), [], {
      env: {},
      // Lets js-interpreter tell what a run holds from garbage; scripts see no global of the host's.
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.child.on('message', (message: FromChild) => this.receive(message));
    this.child.on('error', () => this.child.kill('SIGKILL'));
    this.gone = new Promise((resolve) => this.child.once('exit', () => resolve()));
    void this.gone.then(() => this.die());
    this.send({ type: 'open', options });
    this.hold(false);
  }

  begin(run: ProcessRun): void {
    const { onCall: _onCall, signal: _signal, ...travelling } = run.request;
    try {
      this.send({ type: 'run', id: run.id, run: travelling });
      this.runs.set(run.id, run);
      this.hold(true);
    } catch {
      run.fail('internalError', BAD_INPUT);
    }
  }

  cancel(run: ProcessRun): void {
    this.send({ type: 'cancel', id: run.id });
  }

  close(drainMs: number): void {
    this.send({ type: 'close', drainMs });
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  /** Ends the process where a run is long past what its own deadlines allow. */
  check(now: number): void {
    for (const { startedAt, request } of this.runs.values())
      if (now - startedAt > request.limits.wallMs + request.limits.cpuMs + OVERDUE_MS) return this.kill();
  }

  private receive(message: FromChild): void {
    const run = this.runs.get(message.id);
    if (!run) return;
    if (message.type === 'call') return void this.answer(run, message);
    this.stats = message.stats;
    this.runs.delete(run.id);
    if (this.runs.size === 0) this.hold(false);
    run.end(message.result);
  }

  private async answer(run: ProcessRun, { id, turn, call }: Extract<FromChild, { type: 'call' }>): Promise<void> {
    const reply = await run.answer(call);
    if (!reply) return;
    try {
      this.send({ type: 'reply', id, turn, reply });
    } catch {
      this.send({ type: 'reply', id, turn, reply: NO_JSON });
    }
  }

  /** @throws TypeError where the message is no JSON. */
  private send(message: ToChild): void {
    if (this.child.connected) this.child.send(message, () => {});
  }

  /** Keeps this process alive for the child only while the child has runs. */
  private hold(busy: boolean): void {
    const { channel } = this.child;
    if (busy) {
      this.child.ref();
      channel?.ref();
    } else {
      this.child.unref();
      channel?.unref();
    }
  }

  private die(): void {
    const runs = [...this.runs.values()];
    this.runs.clear();
    this.onDeath(this, runs);
  }
}
