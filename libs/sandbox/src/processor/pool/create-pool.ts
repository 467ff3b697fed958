import type { EngineId, Isolation } from '../../protocol/script.js';
import { ProcessPool } from './process-pool.js';
import type { PoolResult, PoolRun, PoolStats, ReplacedListener, ScriptPool } from './script-pool.js';
import { ThreadPool } from './thread-pool.js';

/** Options of `createScriptPool`. */
export interface ScriptPoolOptions {
  /** Most threads. Default 2 per core, at least 2. A thread takes about 22 MB. */
  readonly threads?: number;
  /** The engine that is ready before the first run. Default `quickjs`. */
  readonly engine?: EngineId;
  /** Default `thread` for quickjs, `process` for js-interpreter, with which a script can abort a process. */
  readonly isolation?: Isolation;
  /** Milliseconds after which a thread that had nothing to do is ended; the last one stays. Default 10,000. */
  readonly idleMs?: number;
  /** Told of every thread that is gone before the pool is closed. */
  readonly onReplaced?: ReplacedListener;
}

/** The pool of a processor, or of a runner. Threads start with the first run, or with `warm`. */
export function createScriptPool(options: ScriptPoolOptions = {}): IsolatedPool {
  return new IsolatedPool(options);
}

/** A pool of threads in this process and one in a child process, each made when a script first needs it. */
export class IsolatedPool implements ScriptPool {
  private readonly pools = new Map<Isolation, ThreadPool | ProcessPool>();

  constructor(private readonly options: ScriptPoolOptions) {}

  run(run: PoolRun): Promise<PoolResult> {
    return this.poolFor(run.script.engine).run(run);
  }

  stats(): PoolStats {
    const sum = { threads: 0, busy: 0, waiting: 0 };
    for (const pool of this.pools.values()) {
      const { threads, busy, waiting } = pool.stats();
      sum.threads += threads;
      sum.busy += busy;
      sum.waiting += waiting;
    }
    return sum;
  }

  /** Starts the first thread of the default engine, so that the first run finds it warm. */
  warm(): void {
    this.poolFor(this.options.engine ?? 'quickjs').warm();
  }

  async close(drainMs?: number): Promise<void> {
    await Promise.all([...this.pools.values()].map((pool) => pool.close(drainMs)));
  }

  private poolFor(engine: EngineId): ThreadPool | ProcessPool {
    const isolation = this.options.isolation ?? (engine === 'quickjs' ? 'thread' : 'process');
    const known = this.pools.get(isolation);
    if (known) return known;
    const { isolation: _isolation, ...rest } = this.options;
    const options = { ...rest, engine };
    const pool = isolation === 'thread' ? new ThreadPool(options) : new ProcessPool(options);
    this.pools.set(isolation, pool);
    return pool;
  }
}
