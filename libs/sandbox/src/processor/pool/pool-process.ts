import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { FrameReader, writeFrame } from './frames.js';
import { type FromChild, readFromChild, type ToChild, writeToChild } from './process-messages.js';
import type { ProcessRun } from './process-run.js';
import type { PoolStats, ReplacedReason } from './script-pool.js';
import { builtFile } from './thread-entry.js';
import { BAD_INPUT, type ThreadPoolOptions } from './thread-pool.js';

/** Milliseconds past a run's own limits after which its process is ended. */
const OVERDUE_MS = 15_000;

/** Why a process was ended from here: it did not start, or not end its runs in time, or said what no honest one says. */
export type KillReason = 'start' | 'overdue' | 'misconduct' | 'close';

/** What a process tells its pool. */
export interface ProcessListener {
  /** It is gone, with these runs in it. */
  onDeath(process: PoolProcess, runs: readonly ProcessRun[]): void;
  /** A thread of it is gone. */
  onReplaced(reason: ReplacedReason): void;
}

/**
 * A child process with a pool of threads, and the runs it has. Nothing that comes from it can throw here: it is no IPC
 * channel of Node's, which parses before anybody can catch. A child that says what no honest one would is ended.
 */
export class PoolProcess {
  stats: PoolStats = { threads: 1, busy: 0, waiting: 0 };
  readonly runs = new Map<number, ProcessRun>();
  /** Resolved when the process is gone. */
  readonly gone: Promise<void>;
  /** Whether it has ever said that it is there. */
  ready = false;
  /** Why it was ended from here, if it was. */
  killedFor: KillReason | undefined;
  private readonly child: ChildProcess;
  private readonly link: Duplex & { ref?(): void; unref?(): void };
  private readonly startedAt = performance.now();
  /** Milliseconds it may take until it is ready. */
  private readonly startMs: number;

  constructor(
    options: ThreadPoolOptions,
    private readonly listener: ProcessListener,
  ) {
    // With the garbage collector at hand, js-interpreter tells what a run holds from garbage; scripts see no global of the host's.
    const args = ['--expose-gc', fileURLToPath(builtFile('./pool-process.main.js'))];
    this.startMs = options.startMs ?? 20_000;
    this.child = spawn(process.execPath, args, {
      env: {},
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
    this.link = this.child.stdio[3] as Duplex;
    const reader = new FrameReader(
      (frame) => this.receive(frame),
      () => this.kill('misconduct'),
    );
    this.link.on('data', (chunk: Buffer) => reader.push(chunk));
    // a broken pipe: the child is gone, or about to be
    this.link.on('error', () => this.child.kill('SIGKILL'));
    this.gone = this.untilGone();
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

  kill(reason: KillReason): void {
    this.killedFor ??= reason;
    this.child.kill('SIGKILL');
  }

  /** Ends the process where it does not start, or a run is long past what its own deadlines allow. */
  check(now: number): void {
    if (!this.ready && now - this.startedAt > this.startMs) return this.kill('start');
    for (const { startedAt, request } of this.runs.values())
      if (now - startedAt > request.limits.wallMs + request.limits.cpuMs + OVERDUE_MS) return this.kill('overdue');
  }

  private receive(frame: string): void {
    if (this.killedFor) return;
    const message = readFromChild(frame, (id) => this.runs.get(id)?.request.limits.logBytes ?? 0);
    if (!message) return this.kill('misconduct');
    if (message.type === 'ready') {
      this.ready = true;
      return;
    }
    if (message.type === 'replaced') return this.listener.onReplaced(message.reason);
    const run = this.runs.get(message.id);
    if (!run) return this.kill('misconduct');
    if (message.type === 'call') this.takeCall(run, message);
    else this.takeResult(run, message);
  }

  private takeCall(run: ProcessRun, { turn, text }: Extract<FromChild, { type: 'call' }>): void {
    const received = run.accept(text);
    if (!received) return this.kill('misconduct');
    void run.answer(received).then((reply) => {
      if (reply && this.runs.has(run.id)) this.send({ type: 'reply', id: run.id, turn, reply });
    });
  }

  private takeResult(run: ProcessRun, { result, stats }: Extract<FromChild, { type: 'result' }>): void {
    if (!run.conclude(result)) return this.kill('misconduct');
    this.stats = stats;
    this.runs.delete(run.id);
    if (this.runs.size === 0) this.hold(false);
  }

  /** @throws TypeError where the message is no JSON. */
  private send(message: ToChild): void {
    writeFrame(this.link, writeToChild(message));
  }

  /** A process that could not even be started says so by an error, and never exits. */
  private untilGone(): Promise<void> {
    return new Promise((resolve) => {
      this.child.once('exit', () => resolve());
      this.child.on('error', () => (this.child.pid === undefined ? resolve() : this.child.kill('SIGKILL')));
    });
  }

  /** Keeps this process alive for the child only while the child has runs. */
  private hold(busy: boolean): void {
    for (const each of [this.child, this.link]) {
      if (busy) each.ref?.();
      else each.unref?.();
    }
  }

  private die(): void {
    const runs = [...this.runs.values()];
    this.runs.clear();
    this.link.destroy();
    this.listener.onDeath(this, runs);
  }
}
