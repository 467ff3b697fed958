import {
  createScriptRunner,
  type RunnerBridge,
  type ScriptRun,
  type ScriptRunnerOptions,
} from '../processor/pool/script-runner.js';
import type { RunResult } from '../protocol/run.js';

/** One call that a script under test made. */
export interface RecordedCall {
  /** `query`, `execute`, `sendEmail` or `<service>.<method>`. */
  readonly method: string;
  readonly args: readonly unknown[];
}

/** What became of a tested script: the run's result, and what it asked of its host. */
export interface ScriptTestResult extends RunResult {
  /** Every call, in order. */
  readonly calls: readonly RecordedCall[];
  /** Every request of every `execute`, in order. */
  readonly writes: readonly unknown[];
  /** The first argument of every `sendEmail`. */
  readonly emails: readonly unknown[];
}

/** A script to test: a `ScriptRun` whose tenant may be left out (`test`). */
export type ScriptTest = Omit<ScriptRun, 'tenantId'> & { readonly tenantId?: string };

/**
 * Runs scripts in the real sandbox, in unit tests, without a database. Close it after the tests (`await using` does).
 *
 * What `bridge` does not answer is answered so that most scripts go on: `query` finds nothing, `execute` reports one row
 * affected for each request, `sendEmail` returns 1. Every call is recorded.
 */
export class ScriptTester implements AsyncDisposable {
  private constructor(private readonly runner: Awaited<ReturnType<typeof createScriptRunner>>) {}

  /** Makes a tester; options as those of `createScriptRunner`, but one thread. */
  static async create(options: ScriptRunnerOptions = {}): Promise<ScriptTester> {
    return new ScriptTester(await createScriptRunner({ threads: 1, ...options }));
  }

  /** Runs a script to its end. Rejects only where the caller is at fault. */
  async run(test: ScriptTest): Promise<ScriptTestResult> {
    const calls: RecordedCall[] = [];
    const bridge = recording({ ...ANSWERS, ...test.bridge }, calls);
    const result = await this.runner.run({ tenantId: 'test', ...test, bridge });
    return {
      ...result,
      calls,
      writes: calls.filter(({ method }) => method === 'execute').flatMap(({ args }) => args[0]),
      emails: calls.filter(({ method }) => method === 'sendEmail').map(({ args }) => args[0]),
    };
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await this.runner.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

const ANSWERS: RunnerBridge = {
  query: () => [],
  execute: (requests: readonly { op?: string; entity?: string; id?: unknown }[]) =>
    requests.map(({ op, entity, id }) => ({ op, entity, id: id ?? null, affected: 1, record: null })),
  sendEmail: () => 1,
};

function recording(bridge: RunnerBridge, calls: RecordedCall[]): RunnerBridge {
  return Object.fromEntries(
    Object.entries(bridge).map(([method, answer]) => [
      method,
      (...args: never[]) => {
        calls.push({ method, args });
        return answer(...args);
      },
    ]),
  );
}
