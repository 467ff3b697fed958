// What QuickJS alone lets a script see and say of itself.
import { createScriptRunner, type ScriptRunner } from '../../libs/sandbox/src/processor/pool/script-runner.js';
import type { RunResult } from '../../libs/sandbox/src/protocol/run.js';

const limits = { cpuMs: 20_000, memoryBytes: 16 * 1024 * 1024 };
let runner: ScriptRunner;
beforeAll(async () => (runner = await createScriptRunner({ engine: 'quickjs', threads: 1, limits })));
afterAll(() => runner.close());

const bridge = {
  'stock.fail': () => {
    throw new Error('none left');
  },
};
const run = (source: string): Promise<RunResult> => runner.run({ tenantId: 'acme', source, bridge });

describe('a script that memory ran out for', () => {
  it.each([
    'const m = new Map(); for (let i = 0; ; i++) m.set(i, { i })',
    'const a = []; for (;;) { const b = new Array(100); a.push(() => b) }',
    'const a = []; try { for (;;) a.push({ a: 1 }) } catch (e) { throw e }',
    'const a = []; for (;;) a.push(new Proxy({}, {}))',
    'const a = []; for (;;) a.push((function* () { yield 1 })())',
    'const a = []; async function f() { for (;;) { a.push({ a: 1 }); if (a.length % 1000 === 0) await 0 } } await f()',
    'new ArrayBuffer(2 ** 30)',
    '"x".repeat(2 ** 29)',
    'const a = []; for (;;) a.push([a.length])',
  ])('is said to have exceeded its memory, however the engine puts it: %s', async (source) => {
    const { outcome, error } = await run(source);
    expect([outcome, error?.name]).toEqual(['exceededMemory', 'LimitError']);
  });

  it.each([
    'throw null',
    'throw new InternalError("out of memory")',
    'const e = new Error("out of memory"); e.name = "InternalError"; throw e',
    'let E; try { (function f() { f() })() } catch (e) { E = e.constructor }\nthrow new E("out of memory")',
    'throw Object.assign(new RangeError("string too long"), { name: "InternalError" })',
  ])('is not said to be one that only says so: %s', async (source) => {
    const { outcome, usage } = await run(source);
    expect([outcome, usage.peakMemoryBytes! < limits.memoryBytes / 2]).toEqual(['exception', true]);
  });
});

describe('a script that looks at our own code', () => {
  it('sees native code', async () => {
    const { value } = await run(`
      const limit = Object.getOwnPropertyDescriptor(context.limits, 'cpuMs').get;
      const own = [context.stock.fail, log, console.warn, setResult, RetryLater, Math.random, BigInt.prototype.toJSON,
        limit, Function.prototype.toString];
      own.map((each) => String(each).replace(/^function \\w*\\(\\) /, ''))`);
    expect(new Set(value as string[])).toEqual(new Set(['{\n    [native code]\n}']));
  });

  it('sees its own functions as it wrote them', async () => {
    expect((await run('String(function f(a) { return a })')).value).toBe('function f(a) { return a }');
    expect((await run('try { Function.prototype.toString.call({}) } catch (e) { e.name }')).value).toBe('TypeError');
  });

  it('sees its own lines in the stack of an error', async () => {
    const places = (text: string) => [...text.matchAll(/\((script:\d+)/g)].map(([, place]) => place);
    const thrown = 'function f() {\n  return new Error("x").stack\n}\n[f(),\n  new Error("y").stack]';
    expect(((await run(thrown)).value as string[]).map(places)).toEqual([['script:2', 'script:4'], ['script:5']]);
    const failed = await run('await 0;\ntry { context.stock.fail() } catch (e) { e.stack }');
    expect(places(failed.value as string)).toEqual(['script:2']);
  });

  it('sees no line of ours', async () => {
    const { value } = await run(`
      let all = '';
      try { context.stock.fail() } catch (e) { all += e.stack }
      try { context.stock.fail({ get a() { throw new Error() } }) } catch (e) { all += e.stack }
      try { log({ toJSON() { all += new Error().stack } }) } catch (e) {}
      all`);
    expect(value).not.toMatch(/prelude|guestError|cross/);
  });
});
