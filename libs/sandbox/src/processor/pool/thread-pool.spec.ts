import { DEFAULT_LIMITS } from '../../protocol/limits.js';
import type { CompiledScript } from '../../protocol/script.js';
import { until } from '../../../../../test/support/processes.mjs';
import type { PoolRun } from './script-pool.js';
import { ThreadPool } from './thread-pool.js';

const script = (code: string): CompiledScript => ({
  engine: 'quickjs',
  hash: code,
  code,
  async: false,
  positions: { kind: 'insertions', insertions: [] },
});

const run = (code: string, more: Partial<PoolRun> = {}): PoolRun => ({
  script: script(code),
  source: code,
  tenantId: 'acme',
  input: {},
  limits: DEFAULT_LIMITS,
  methods: ['query', 'a.b'],
  deferred: false,
  onCall: async () => ({ ok: true, value: 1 }),
  ...more,
});

/** Calls that take a while: threads that wait. */
const slow: Partial<PoolRun> = {
  onCall: () => new Promise((resolve) => setTimeout(() => resolve({ ok: true, value: 1 }), 40)),
};

describe('a pool of threads', () => {
  let pool: ThreadPool;
  afterEach(() => pool.close(0));

  it('starts with one thread, grows while runs wait, and shrinks when idle', async () => {
    pool = new ThreadPool({ threads: 6, idleMs: 200 });
    await pool.run(run('return 1'));
    expect(pool.stats().threads).toBe(1);
    await Promise.all(Array.from({ length: 60 }, () => pool.run(run('return context.query({})', slow))));
    expect(pool.stats().threads).toBeGreaterThan(3);
    await until(() => pool.stats().threads === 1);
  });

  it('never has more threads than it may', async () => {
    pool = new ThreadPool({ threads: 2 });
    const runs = Array.from({ length: 20 }, () => pool.run(run('return context.query({})', slow)));
    await until(() => pool.stats().busy === 2);
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, pool.stats().threads)), 5);
    await Promise.all(runs);
    clearInterval(watch);
    expect(most).toBe(2);
  });

  it('replaces a thread that it had to end, and leaves the others alone', async () => {
    pool = new ThreadPool({ threads: 2 });
    const hog = pool.run(run('[].indexOf.call({ length: 9e15 }, 1)', { limits: { ...DEFAULT_LIMITS, cpuMs: 100 } }));
    const others = Promise.all(Array.from({ length: 10 }, (_, i) => pool.run(run(`return ${i}`))));
    expect((await hog).outcome).toBe('exceededCpu');
    expect((await others).map(({ value }) => value)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect((await pool.run(run('return "again"'))).value).toBe('again');
  });

  it('cancels a run that still waits', async () => {
    pool = new ThreadPool({ threads: 1 });
    const first = pool.run(run('return context.query({})', slow));
    const controller = new AbortController();
    const second = pool.run(run('return 2', { signal: controller.signal }));
    controller.abort();
    expect((await second).outcome).toBe('cancelled');
    expect((await first).outcome).toBe('ok');
  });

  it('lets runs in flight finish when it is closed, and takes no more', async () => {
    pool = new ThreadPool({ threads: 1 });
    const runs = [1, 2].map((n) => pool.run(run(`context.query({}); return ${n}`, slow)));
    await pool.close(5_000);
    expect((await Promise.all(runs)).map(({ value }) => value)).toEqual([1, 2]);
    expect((await pool.run(run('return 3'))).outcome).toBe('cancelled');
    expect(pool.stats().threads).toBe(0);
  });

  it('cancels what is not over when the time to drain is', async () => {
    pool = new ThreadPool({ threads: 1 });
    const endless = pool.run(run('for (;;);', { limits: { ...DEFAULT_LIMITS, cpuMs: 60_000 } }));
    await until(() => pool.stats().busy === 1);
    await pool.close(50);
    expect((await endless).outcome).toBe('cancelled');
  });

  it('drops answers that come after the end of a run', async () => {
    pool = new ThreadPool({ threads: 1 });
    let late: () => void = () => {};
    const limits = { ...DEFAULT_LIMITS, wallMs: 400 };
    const onCall: PoolRun['onCall'] = () =>
      new Promise((resolve) => (late = () => resolve({ ok: true, value: 'late' })));
    const ended = await pool.run(run('return context.query({})', { limits, onCall }));
    const next = pool.run(run('return context.query({})'));
    late();
    expect([ended.outcome, (await next).value]).toEqual(['exceededWall', 1]);
  });

  it('aborts the signal of a call when the run has ended', async () => {
    pool = new ThreadPool({ threads: 1 });
    let signal: AbortSignal | undefined;
    const onCall: PoolRun['onCall'] = (_call, given) => ((signal = given()), new Promise(() => {}));
    await pool.run(run('context.query({})', { onCall, limits: { ...DEFAULT_LIMITS, wallMs: 400 } }));
    expect(signal?.aborted).toBe(true);
  });

  it('asks for one thing at a time, even after a call that took too long', async () => {
    pool = new ThreadPool({ threads: 1 });
    let inside = 0;
    let most = 0;
    const onCall: PoolRun['onCall'] = async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 100));
      inside--;
      return { ok: true, value: 1 };
    };
    const code =
      'let r = []; for (let i = 0; i < 3; i++) try { r.push(context.query({})) } catch (e) { r.push(e.code) }\nreturn r';
    const { value } = await pool.run(run(code, { onCall, limits: { ...DEFAULT_LIMITS, bridgeCallMs: 50 } }));
    expect(most).toBe(1);
    expect(value).toContain('SANDBOX_BRIDGE_TIMEOUT');
  });

  it('keeps the log of a run whose thread had to be ended', async () => {
    pool = new ThreadPool({ threads: 1 });
    const code = 'console.warn("before"); log("join"); Array(1e9).join("x")';
    const { outcome, logs } = await pool.run(run(code, { limits: { ...DEFAULT_LIMITS, cpuMs: 300 } }));
    expect([outcome, logs]).toEqual([
      'exceededCpu',
      [
        { level: 'warn', message: 'before' },
        { level: 'info', message: 'join' },
      ],
    ]);
    expect((await pool.run(run('for (;;);', { limits: { ...DEFAULT_LIMITS, cpuMs: 100 } }))).logs).toEqual([]);
  });
});
