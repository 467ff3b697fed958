// What each engine promises, tried on real threads; and that the suite finds runners that do not keep it.
import { createScriptPool } from '../../libs/sandbox/src/processor/pool/create-pool.js';
import type { ScriptPool } from '../../libs/sandbox/src/processor/pool/script-pool.js';
import {
  createScriptRunner,
  type ScriptRun,
  type ScriptRunner,
} from '../../libs/sandbox/src/processor/pool/script-runner.js';
import type { BridgeCall, BridgeReply } from '../../libs/sandbox/src/protocol/bridge-call.js';
import { DEFAULT_LIMITS } from '../../libs/sandbox/src/protocol/limits.js';
import type { RunResult } from '../../libs/sandbox/src/protocol/run.js';
import { type EngineId, ENGINES } from '../../libs/sandbox/src/protocol/script.js';
import { createScriptCompiler } from '../../libs/sandbox/src/scripts/compiler/compiler.js';
import type { ScriptCompiler } from '../../libs/sandbox/src/scripts/compiler/script-compiler.js';
import { engineContract, type EngineSubject } from '../../libs/sandbox/src/testing/engine-contract.js';

/** A runner and a pool of one engine; closed after the tests. */
async function startSubject(engine: EngineId) {
  const runner: ScriptRunner = await createScriptRunner({ engine, threads: 2 });
  const pool: ScriptPool = createScriptPool({ engine, threads: 1 });
  const compiler: ScriptCompiler = createScriptCompiler();
  const runDeferred = async (source: string, answer: (call: BridgeCall) => BridgeReply) => {
    const compiled = await compiler.compile({ source, language: 'javascript', engine });
    if (!compiled.ok) throw new Error(compiled.error.message);
    return pool.run({
      script: compiled.script,
      source,
      tenantId: 'acme',
      input: {},
      limits: DEFAULT_LIMITS,
      methods: ['query', 'execute', 'sendEmail', 'stock.take', 'pure.read'],
      pureMethods: ['pure.read'],
      deferred: true,
      onCall: async (call) => answer(call),
    });
  };
  const subject: EngineSubject = { run: (run) => runner.run(run), runDeferred };
  const close = () => Promise.all([runner.close(), pool.close(), compiler.close()]);
  return { subject, close };
}

const only = process.env.TEST_ENGINE;

describe.each(ENGINES.filter((engine) => !only || engine === only))('the engine %s', (engine) => {
  let started: Awaited<ReturnType<typeof startSubject>>;
  beforeAll(async () => {
    started = await startSubject(engine);
  });
  afterAll(() => started.close());

  it.each(engineContract.map((one) => [one.title, one] as const))('%s', async (_title, one) => {
    await one.check(started.subject);
  });
});

/** Runners that break one promise each. */
const broken: Record<string, (run: ScriptRun, real: ScriptRunner) => Promise<RunResult>> = {
  'gives the value of the run before': (() => {
    let last: unknown = null;
    return async (run, real) => {
      const result = await real.run(run);
      const value = last;
      last = result.value;
      return { ...result, value };
    };
  })(),
  'forgets the line of an error': async (run, real) => {
    const result = await real.run(run);
    return result.error ? { ...result, error: { name: result.error.name, message: result.error.message } } : result;
  },
  'lets globals through to the next run': (() => {
    let history = '';
    return async (run, real) => {
      const result = await real.run({ ...run, source: `${history}${run.source}` });
      if (run.source.startsWith('globalThis.leak')) history = 'globalThis.leak = 1;';
      return result;
    };
  })(),
  'drops the log': async (run, real) => ({ ...(await real.run(run)), logs: [] }),
  'does not count calls': (run, real) =>
    real.run({ ...run, limits: { ...run.limits, queries: 1e6, writes: 1e6, emails: 1e6, calls: 1e6, cpuMs: 100 } }),
  'ignores the CPU limit': (run, real) =>
    real.run(run.limits?.cpuMs ? { ...run, limits: { ...run.limits, cpuMs: run.limits.cpuMs + 1_500 } } : run),
  'lets the host through': (run, real) =>
    real.run({ ...run, source: run.source.replace('typeof process', '"object"') }),
  'calls an exception an internal error': async (run, real) => {
    const result = await real.run(run);
    return result.outcome === 'exception' ? { ...result, outcome: 'internalError' } : result;
  },
};

it('refuses an option of a runner that does not exist', async () => {
  const refusal = { code: 'SANDBOX_INVALID_RUN', message: expect.stringContaining('there are engine, threads') };
  await expect(createScriptRunner({ thread: 1 } as never)).rejects.toMatchObject(refusal);
});

describe('the engine contract', () => {
  let started: Awaited<ReturnType<typeof startSubject>>;
  let real: ScriptRunner;
  beforeAll(async () => {
    started = await startSubject('quickjs');
    real = await createScriptRunner({ threads: 2 });
  });
  afterAll(() => Promise.all([started.close(), real.close()]));

  it.each(Object.entries(broken))(
    'finds a runner that %s',
    async (_what, run) => {
      const subject: EngineSubject = { ...started.subject, run: (one) => run(one, real) };
      const found = [];
      for (const one of engineContract) {
        const violation = await one.check(subject).then(
          () => undefined,
          (error: { code?: string }) => error.code,
        );
        if (violation === 'SANDBOX_CONTRACT_VIOLATED') found.push(one.title);
        if (found.length > 0) break;
      }
      expect(found).not.toEqual([]);
    },
    60_000,
  );
});
