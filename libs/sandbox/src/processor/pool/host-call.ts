import type { BridgeCall } from '../../protocol/bridge-call.js';
import type { CallBudget } from './call-budget.js';
import type { PoolRun } from './script-pool.js';
import { refusal, type WrittenReply, writeReply } from './wire.js';

/** A call as it came from a thread. */
export interface ReceivedCall {
  readonly call: BridgeCall;
  /** Its JSON, as the thread sent it. */
  readonly text: string;
}

/** Whether all that a call asks for are methods that the run was given. */
export function isGranted({ method, deferred }: BridgeCall, methods: readonly string[]): boolean {
  return (method === 'flush' || methods.includes(method)) && deferred.every((each) => methods.includes(each.method));
}

/** Has a call answered, and counts the rows; never rejects. */
export async function askHost(
  { onCall }: PoolRun,
  { call, text }: ReceivedCall,
  signal: () => AbortSignal,
  budget: CallBudget,
): Promise<WrittenReply> {
  try {
    const reply = await onCall(call, signal, text);
    if ('written' in reply) return reply;
    const overrun = budget.spendRows(call, reply);
    if (overrun === undefined) return writeReply(reply);
    return { written: '', fatal: { outcome: 'exceededCalls', error: { name: 'LimitError', message: overrun } } };
  } catch {
    return writeReply(refusal('SANDBOX_BRIDGE', 'The host could not answer this call.'));
  }
}
