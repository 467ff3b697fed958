import type { EngineId } from '../../protocol/script.js';
import type { ScriptPool } from './script-pool.js';
import { ThreadPool } from './thread-pool.js';

/** Where the threads of a pool live. */
export type Isolation = 'thread' | 'process';

/** Options of `createScriptPool`. */
export interface ScriptPoolOptions {
  /** Most threads. Default 2 per core, at least 2. */
  readonly threads?: number;
  /** The engine that is ready before the first run. Default `quickjs`. */
  readonly engine?: EngineId;
  readonly isolation?: Isolation;
}

/** The pool of a processor, or of a runner. */
export function createScriptPool(options: ScriptPoolOptions = {}): ScriptPool {
  return new ThreadPool(options);
}
