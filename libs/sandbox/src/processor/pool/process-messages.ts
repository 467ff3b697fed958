import type { BridgeCall, BridgeReply } from '../../protocol/bridge-call.js';
import type { PoolResult, PoolRun, PoolStats } from './script-pool.js';
import type { ThreadPoolOptions } from './thread-pool.js';

/** A run as it travels to the child: without its functions and its signal. */
export type TravellingRun = Omit<PoolRun, 'onCall' | 'signal'>;

/** What the processor says to the child process that holds its threads. */
export type ToChild =
  | { readonly type: 'open'; readonly options: ThreadPoolOptions }
  | { readonly type: 'run'; readonly id: number; readonly run: TravellingRun }
  | { readonly type: 'reply'; readonly id: number; readonly turn: number; readonly reply: BridgeReply }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'close'; readonly drainMs: number };

/** What the child process says to the processor. */
export type FromChild =
  | { readonly type: 'call'; readonly id: number; readonly turn: number; readonly call: BridgeCall }
  | { readonly type: 'result'; readonly id: number; readonly result: PoolResult; readonly stats: PoolStats };
