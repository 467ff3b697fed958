import { ContractViolationError } from '../../errors/pool.errors.js';
import type { BridgeCall, BridgeReply } from '../../protocol/bridge-call.js';
import type { Outcome, RunResult } from '../../protocol/run.js';
import type { PoolResult } from '../../processor/pool/script-pool.js';
import type { ScriptRun } from '../../processor/pool/script-runner.js';

/** What the suite is tried on: a runner of one engine. */
export interface EngineSubject {
  /** As `ScriptRunner.run`. */
  run(run: ScriptRun): Promise<RunResult>;
  /** Runs a script whose `execute` and `sendEmail` may wait; `answer` stands for the host. */
  runDeferred(source: string, answer: (call: BridgeCall) => BridgeReply): Promise<PoolResult>;
}

/** One promise of an engine, as a fact, and how to try it. */
export interface ContractCase {
  readonly title: string;
  /** @throws ContractViolationError where the subject does not keep the promise. */
  check(subject: EngineSubject): Promise<void>;
}

/** What a run of a case is given besides its source. */
export type CaseRun = Partial<Omit<ScriptRun, 'source'>>;

/** Throws unless both are the same as JSON. */
export function expectSame(actual: unknown, expected: unknown, what: string): void {
  const [is, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== wanted) throw new ContractViolationError(what, is ?? 'nothing', wanted ?? 'nothing');
}

/** Throws unless the condition holds. */
export function expectTrue(condition: boolean, what: string, actual: unknown): void {
  if (!condition) throw new ContractViolationError(what, JSON.stringify(actual) ?? 'nothing', 'the opposite');
}

/** Runs a source as tenant `acme`. */
export function runSource(subject: EngineSubject, source: string, run: CaseRun = {}): Promise<RunResult> {
  return subject.run({ tenantId: 'acme', ...run, source });
}

/** A script whose value is this. */
export function gives(title: string, source: string, value: unknown, run: CaseRun = {}): ContractCase {
  return {
    title,
    async check(subject) {
      const result = await runSource(subject, source, run);
      expectSame([result.outcome, result.value], ['ok', value], `${source} (${result.error?.message ?? 'no error'})`);
    },
  };
}

/** What is expected of the error of a run that does not end well. */
export interface ExpectedError {
  readonly name?: string;
  readonly message?: RegExp;
  readonly code?: string;
  readonly line?: number;
}

/** A script that ends in this way. */
export function ends(
  title: string,
  source: string,
  outcome: Outcome,
  error: ExpectedError = {},
  run: CaseRun = {},
): ContractCase {
  return {
    title,
    async check(subject) {
      const result = await runSource(subject, source, run);
      expectSame(result.outcome, outcome, `the outcome of ${source.slice(0, 200)} (${result.error?.message ?? ''})`);
      for (const key of ['name', 'code', 'line'] as const)
        if (error[key] !== undefined) expectSame(result.error?.[key], error[key], `the error's ${key} of ${source}`);
      const message = result.error?.message ?? '';
      if (error.message) expectTrue(error.message.test(message), `the message of ${source}`, message);
    },
  };
}
