import type { BridgeCall, BridgeReply, DeferredCall } from '../../protocol/bridge-call.js';
import type { Limits } from '../../protocol/limits.js';

/** A limit on calls, rows or recipients that a run went past, as a sentence for the author. */
export type Overrun = string;

/** Counts what a run asks of its host, on the host's side: the thread's own counters only inform the script. */
export class CallBudget {
  private queries = 0;
  private writes = 0;
  private emails = 0;
  private calls = 0;
  private rowsRead = 0;
  private rowsWritten = 0;

  constructor(private readonly limits: Readonly<Limits>) {}

  /** Counts a call and the deferred calls that came with it; says which limit they go past, if any. */
  spend(call: BridgeCall): Overrun | undefined {
    // a flush that carries nothing is a call like others: an honest script never makes one
    const isFlush = call.method === 'flush' && call.deferred.length > 0;
    return this.spendDeferred(call.deferred) ?? (isFlush ? undefined : this.spendOne(call));
  }

  /** Counts calls that a run left behind for its end. */
  spendDeferred(calls: readonly DeferredCall[]): Overrun | undefined {
    for (const call of calls) {
      const overrun = this.spendOne(call);
      if (overrun) return overrun;
    }
    return undefined;
  }

  /** Counts the rows of an answered query. */
  spendRows(call: BridgeCall, reply: BridgeReply): Overrun | undefined {
    if (call.method !== 'query' || !reply.ok || !Array.isArray(reply.value)) return undefined;
    this.rowsRead += reply.value.length;
    return over('rows read', this.rowsRead, this.limits.rowsRead);
  }

  private spendOne({ method, args }: DeferredCall | BridgeCall): Overrun | undefined {
    if (method === 'query') return over('query calls', ++this.queries, this.limits.queries);
    if (method === 'execute') return this.spendWrite(args);
    if (method === 'sendEmail') return this.spendEmail(args);
    return over('calls of bridge services', ++this.calls, this.limits.calls);
  }

  private spendWrite([requests]: readonly unknown[]): Overrun | undefined {
    this.rowsWritten += Array.isArray(requests) ? requests.length : 1;
    return (
      over('execute calls', ++this.writes, this.limits.writes) ??
      over('rows written', this.rowsWritten, this.limits.rowsWritten)
    );
  }

  private spendEmail([mail]: readonly unknown[]): Overrun | undefined {
    return (
      over('mails', ++this.emails, this.limits.emails) ??
      over('recipients of one mail', recipientsOf(mail), this.limits.emailRecipients)
    );
  }
}

function over(what: string, used: number, limit: number): Overrun | undefined {
  return used > limit ? `The script went past its limit of ${limit} ${what}.` : undefined;
}

function recipientsOf(mail: unknown): number {
  const { to, cc, bcc } = (mail ?? {}) as Record<string, unknown>;
  return countOf(to) + countOf(cc) + countOf(bcc);
}

function countOf(addresses: unknown): number {
  if (Array.isArray(addresses)) return addresses.reduce((sum: number, one) => sum + countOf(one), 0);
  if (typeof addresses === 'string') return addresses.split(/[,;]/).filter((one) => one.trim() !== '').length;
  return addresses === undefined || addresses === null ? 0 : 1;
}
