import { DEFAULT_LIMITS } from '../../protocol/limits.js';
import type { BridgeReply } from '../../protocol/bridge-call.js';
import type { CompiledScript } from '../../protocol/script.js';
import { until } from '../../../../../test/support/processes.mjs';
import { ProcessPool } from './process-pool.js';
import type { PoolRun } from './script-pool.js';

const script = (code: string): CompiledScript => ({
  engine: 'quickjs',
  hash: code,
  code,
  async: false,
  positions: { kind: 'insertions', insertions: [] },
});

const run = (code: string, onCall: PoolRun['onCall'] = async () => ({ ok: true, value: 1 })): PoolRun => ({
  script: script(code),
  source: code,
  tenantId: 'acme',
  input: {},
  limits: { ...DEFAULT_LIMITS, cpuMs: 20_000 },
  methods: ['a.b'],
  deferred: false,
  onCall,
});

/** Kills every child that has a run of this tenant's code in it, as the run itself would. */
function killerOf(pool: ProcessPool, code: string): NodeJS.Timeout {
  interface Inside {
    readonly ready: boolean;
    readonly child: { readonly pid?: number; kill(signal: string): void };
    readonly runs: Map<number, { readonly request: PoolRun }>;
  }
  const { processes } = pool as unknown as { processes: Set<Inside> };
  return setInterval(() => {
    for (const { ready, child, runs } of processes)
      if (ready && [...runs.values()].some(({ request }) => request.source === code)) child.kill('SIGKILL');
  }, 150);
}

describe('a pool in a child process', () => {
  let pool: ProcessPool;
  beforeEach(() => {
    pool = new ProcessPool({ threads: 4 });
  });
  afterEach(() => pool.close(0));

  it('runs scripts and answers their calls', async () => {
    const result = await pool.run(run('return context.a.b(2) + 1', async ({ args }) => ({ ok: true, value: args[0] })));
    expect([result.outcome, result.value, result.usage.calls]).toEqual(['ok', 3, 1]);
  });

  it('answers a call whose reply is no JSON, and refuses a run whose input is none', async () => {
    const odd = run('try { context.a.b() } catch (e) { return e.code }', async () => ({ ok: true, value: 10n }));
    expect((await pool.run(odd)).value).toBe('SANDBOX_REPLY_NOT_JSON');
    expect((await pool.run({ ...run('return 1'), input: { record: { a: 10n } } })).outcome).toBe('internalError');
  });

  it('cancels a run whose signal is aborted', async () => {
    const { outcome } = await pool.run({ ...run('for (;;);'), signal: AbortSignal.timeout(300) });
    expect(outcome).toBe('cancelled');
  });

  it('charges the death of the child to the run that was alone in it', async () => {
    const culprit = 'for (;;);';
    const killer = killerOf(pool, culprit);
    const { outcome, error } = await pool.run(run(culprit));
    clearInterval(killer);
    expect([outcome, error?.name]).toEqual(['exceededMemory', 'LimitError']);
  });

  it('repeats the innocent runs beside it, without asking the host for anything twice', async () => {
    const asked: unknown[] = [];
    let release: (reply: BridgeReply) => void = () => {};
    const slow = new Promise<BridgeReply>((resolve) => (release = resolve));
    const onCall: PoolRun['onCall'] = async ({ args }) => {
      asked.push(args[0]);
      return args[0] === 'second' ? slow : { ok: true, value: 'one' };
    };
    const innocent = pool.run(run('return [context.a.b("first"), context.a.b("second")]', onCall));
    const other = pool.run(run('let n = 0; for (let i = 0; i < 3e6; i++) n++; return n'));
    await until(() => asked.length === 2);
    const culprit = 'while (true);';
    const killer = killerOf(pool, culprit);
    const guilty = pool.run(run(culprit));
    expect((await guilty).outcome).toBe('exceededMemory');
    clearInterval(killer);
    release({ ok: true, value: 'two' });
    expect((await innocent).value).toEqual(['one', 'two']);
    expect((await other).value).toBe(3e6);
    expect(asked).toEqual(['first', 'second']);
  });

  it('ends its child when it is closed', async () => {
    await pool.run(run('return 1'));
    await pool.close(1_000);
    expect((pool as unknown as { processes: Set<unknown> }).processes.size).toBe(0);
    expect((await pool.run(run('return 1'))).outcome).toBe('cancelled');
  });
});
