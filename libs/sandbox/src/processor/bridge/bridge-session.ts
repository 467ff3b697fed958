import { v7 as uuidv7 } from 'uuid';
import {
  BridgeTimeoutError,
  LimitExceededError,
  NotInDryRunError,
  UnknownMethodError,
} from '../../errors/bridge.errors.js';
import { TransactionTimeoutError } from '../../errors/effects.errors.js';
import type { BridgeCall, BridgeReply, DeferredCall } from '../../protocol/bridge-call.js';
import type { Limits } from '../../protocol/limits.js';
import type { NewEmail } from '../../records/email.statements.js';
import { EntityCatalog } from '../../scripts/entity-catalog.js';
import { SandboxContext } from '../../tenancy/sandbox-context.js';
import type { TracedSpan } from '../../tracing/traced-span.js';
import type { RunEffects } from '../effects/run-effects.js';
import type { Write } from '../effects/write.js';
import type { BridgeRun } from './bridge-run.js';
import type { BridgeServices, HostMethod } from './bridge-services.js';
import { parseEmail } from './email-request.js';
import { parseWrites } from './execute-request.js';
import { failureOf, type RunFault, RunFaultSignal, translate } from './guest-failure.js';
import { jsonValue } from './json-value.js';
import { runQuery } from './query/run-query.js';

/** What a session is bound to. None of it ever comes from a thread. */
export interface SessionBinding {
  readonly tenantId: string;
  readonly userId: string | null;
  readonly actionId: string | null;
  readonly depth: number;
  readonly limits: Readonly<Limits>;
  readonly effects: RunEffects;
  readonly services: BridgeServices;
  /** Nothing of the run will stay: services that may act outside the database are not called. */
  readonly dryRun: boolean;
  /** Called before the first call of a service that may act outside the database: commits the claim of the action. */
  readonly claim: () => Promise<void>;
  /** Gets the errors whose text must not reach the script. */
  readonly onHostFault: (method: string, error: unknown) => void;
  /** Of the run, where somebody traces: each call is a span below it. */
  readonly span?: TracedSpan;
}

/** What deferred calls come to: validated, not yet applied. */
export interface DeferredEffects {
  readonly writes: readonly Write[];
  readonly emails: readonly NewEmail[];
}

/**
 * One run's side of the bridge, on the host: answers the script's calls for the one tenant it is bound to.
 * It never rejects, and no text of a host error leaves it.
 */
export class BridgeSession {
  private readonly catalog: EntityCatalog;
  private rowsRead = 0;
  private rowsWritten = 0;
  private given: RunFault | undefined;
  private busy = false;

  constructor(private readonly binding: SessionBinding) {
    this.catalog = EntityCatalog.of(binding.effects.lease.dataSource);
  }

  /** Why the run must be given up, where it must. */
  get fault(): RunFault | undefined {
    if (this.given || !this.binding.effects.expired) return this.given;
    return { kind: 'expired', error: new TransactionTimeoutError(this.binding.limits.transactionMs) };
  }

  /** Answers one call. For `PoolRun.onCall`. */
  readonly onCall = async (call: BridgeCall, signal: () => AbortSignal): Promise<BridgeReply> => {
    if (this.busy) return { ok: false, error: failureOf(new UnknownMethodError('two calls at once')) };
    this.busy = true;
    try {
      return await this.answer(call, signal);
    } finally {
      this.busy = false;
    }
  };

  /** Validates the calls that came with the result of a run. `undefined`: one is refused; `fault` says what to do. */
  deferredEffects(calls: readonly DeferredCall[]): DeferredEffects | undefined {
    const writes: Write[] = [];
    const emails: NewEmail[] = [];
    try {
      for (const { method, args } of calls) {
        if (method === 'execute') writes.push(...this.parseExecute(args));
        else emails.push(this.parseMail(args, this.binding.effects.emails.length + emails.length));
      }
      return { writes, emails };
    } catch {
      this.given = { kind: 'restart' };
      return undefined;
    }
  }

  private async answer(call: BridgeCall, signal: () => AbortSignal): Promise<BridgeReply> {
    const done: unknown[] = [];
    try {
      for (const { method, args } of call.deferred)
        done.push(await this.traced(method, () => this.flush(method, args)));
      const value = await this.traced(methodName(call), () => this.withDeadline(call, signal));
      return { ok: true, value, deferred: done };
    } catch (error) {
      return this.refuse(error, call, done);
    }
  }

  private traced<T>(method: string, work: () => Promise<T>): Promise<T> {
    const { span } = this.binding;
    return span ? span.around(`sandbox bridge ${method}`, work) : work();
  }

  private refuse(error: unknown, call: BridgeCall, done: readonly unknown[]): BridgeReply {
    const seen = translate(error, methodName(call), (fault) => this.binding.onHostFault(methodName(call), fault));
    if (seen instanceof RunFaultSignal) this.given ??= seen.fault;
    return { ok: false, error: failureOf(seen), deferred: done };
  }

  /** Applies a call that had waited. A refusal restarts the run: the script must see it at the line of the call. */
  private async flush(method: string, args: readonly unknown[]): Promise<unknown> {
    try {
      return method === 'execute' ? await this.execute(args) : await this.sendEmail(args);
    } catch (error) {
      const seen = translate(error, method, (fault) => this.binding.onHostFault(method, fault));
      throw seen instanceof RunFaultSignal ? seen : new RunFaultSignal({ kind: 'restart' });
    }
  }

  /** The call, given up after `bridgeCallMs`. */
  private async withDeadline(call: BridgeCall, runSignal: () => AbortSignal): Promise<unknown> {
    const { bridgeCallMs } = this.binding.limits;
    // made only for those who look at it: an abort controller a call costs 3 % of a run
    let giveUp: AbortController | undefined;
    const signal = (): AbortSignal => AbortSignal.any([runSignal(), (giveUp = new AbortController()).signal]);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const error = new BridgeTimeoutError(methodName(call), bridgeCallMs);
        giveUp?.abort(error);
        reject(this.lateError(error));
      }, bridgeCallMs);
      timer.unref();
    });
    try {
      return await Promise.race([this.dispatch(call, signal), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A late call may still be at work in the transaction, where nothing can be told apart from it: the run is over. */
  private lateError(error: unknown): unknown {
    if (!this.binding.effects.interactive) return error;
    return new LimitExceededError('bridgeCallMs', this.binding.limits.bridgeCallMs, 'A bridge call took too long');
  }

  private async dispatch(call: BridgeCall, signal: () => AbortSignal): Promise<unknown> {
    switch (call.method) {
      case 'flush':
        await this.binding.effects.open();
        return undefined;
      case 'query':
        return await this.query(call.args[0]);
      case 'execute':
        return await this.execute(call.args);
      case 'sendEmail':
        return await this.sendEmail(call.args);
      default:
        return await this.callService(call, signal);
    }
  }

  private async query(query: unknown): Promise<unknown> {
    const { effects, limits } = this.binding;
    return await runQuery(
      {
        catalog: this.catalog,
        read: async (statement) => (await effects.read(statement)).rows,
        mostRows: limits.rowsRead,
        countRows: (rows) => this.countRows(rows),
      },
      query,
    );
  }

  private countRows(rows: number): void {
    const { rowsRead } = this.binding.limits;
    this.rowsRead += rows;
    if (this.rowsRead > rowsRead) throw new LimitExceededError('rowsRead', rowsRead, 'The run reads too many rows');
  }

  private parseExecute(args: readonly unknown[]): Write[] {
    const { rowsWritten } = this.binding.limits;
    // counted before anything is parsed: an endless list must not cost more than its length
    this.rowsWritten += Array.isArray(args[0]) ? args[0].length : 1;
    if (this.rowsWritten > rowsWritten) {
      throw new LimitExceededError('rowsWritten', rowsWritten, 'The run writes too many rows');
    }
    return parseWrites(this.catalog, args[0]);
  }

  private async execute(args: readonly unknown[]): Promise<unknown> {
    const writes = this.parseExecute(args);
    if (writes.length === 0) return [];
    return await this.binding.effects.write(writes, (error, { entry }) =>
      translate(error, 'execute', (fault) => this.binding.onHostFault('execute', fault), entry),
    );
  }

  private async sendEmail(args: readonly unknown[]): Promise<number> {
    const { effects } = this.binding;
    effects.emails.push(this.parseMail(args, effects.emails.length));
    return await Promise.resolve(1);
  }

  /** `index` counts the run's mails: with the action's id it makes a Message-ID that a repeated run makes again. */
  private parseMail(args: readonly unknown[], index: number): NewEmail {
    const { actionId, tenantId, limits } = this.binding;
    const message = parseEmail(args, limits.emailRecipients);
    return { id: uuidv7(), message, messageId: `<${actionId ?? uuidv7()}.${index}@${tenantId}.nestjs-sandbox>` };
  }

  private async callService(call: BridgeCall, makeSignal: () => AbortSignal): Promise<unknown> {
    const method = this.binding.services.get(call.method);
    if (!method) throw new UnknownMethodError(call.method);
    const signal = makeSignal();
    if (method.pure) return await this.invoke(method, call, signal);
    if (this.binding.dryRun) throw new NotInDryRunError(call.method);
    await this.binding.claim();
    return await this.binding.effects.atomic(() => this.invoke(method, call, signal));
  }

  private async invoke(method: HostMethod, call: BridgeCall, signal: AbortSignal): Promise<unknown> {
    const { tenantId, userId, actionId, depth, effects } = this.binding;
    const run: BridgeRun = { tenantId, userId, actionId, depth, signal, manager: effects.manager };
    const chain = actionId === null ? {} : { chain: { depth, actionId } };
    return jsonValue(await SandboxContext.run({ tenantId, userId, ...chain }, () => method.call(call.args[0], run)));
  }
}

function methodName({ method }: BridgeCall): string {
  return typeof method === 'string' ? method : 'the call';
}
