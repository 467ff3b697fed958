// What a review of the wire found: one case each.
import { CallBudget } from '../../libs/sandbox/src/processor/pool/call-budget.js';
import { createScriptRunner, type ScriptRunner } from '../../libs/sandbox/src/processor/pool/script-runner.js';
import { parseCall, parseResult } from '../../libs/sandbox/src/processor/pool/wire.js';
import { DEFAULT_LIMITS } from '../../libs/sandbox/src/protocol/limits.js';

const callWith = (argument: string): string => `{"method":"query","args":[${argument}],"deferred":[]}`;

function timeOf(text: string): number {
  const startedAt = performance.now();
  parseCall(text);
  return performance.now() - startedAt;
}

const fastest = (text: string): number => Math.min(timeOf(text), timeOf(text), timeOf(text));

describe('what a guest sends', () => {
  it.each([
    ['plain', '{"a":[{"b":{"__proto__":{"polluted":1},"c":2}}]}'],
    ['escaped', '{"a":[{"b":{"\\u005f_proto__":{"polluted":1},"c":2}}]}'],
    ['escaped in capitals', '{"a":[{"b":{"\\u005F_pr\\u006Fto_\\u005F":{"polluted":1},"c":2}}]}'],
  ])('loses its %s keys named __proto__, however deep', (_how, argument) => {
    expect(JSON.stringify(parseCall(callWith(argument))?.args)).toBe('[{"a":[{"b":{"c":2}}]}]');
  });

  it('does not keep the host busy for long by naming __proto__ beside a million numbers', () => {
    const numbers = `[${'0,'.repeat(1_000_000)}0]`;
    expect(fastest(callWith(`${numbers},"__proto__"`))).toBeLessThan(10 * fastest(callWith(`${numbers},"other"`)) + 50);
  });

  it('cannot ask for more time or memory than there is', () => {
    const report = '{"outcome":"exception","cpuMs":1e308,"retryAfterMs":1e300,"peakMemoryBytes":-1,"logs":[]}';
    expect(parseResult(`${report}\n\n`, 1_000)?.report).toMatchObject({
      cpuMs: 2 ** 31 - 1,
      retryAfterMs: 2 ** 31 - 1,
      peakMemoryBytes: 0,
    });
  });
});

it('counts a flush that carries nothing: a thread that was taken over could ask for ever', () => {
  const budget = new CallBudget({ ...DEFAULT_LIMITS, calls: 2 });
  const flush = { method: 'flush', args: [], deferred: [] };
  expect([budget.spend(flush), budget.spend(flush)]).toEqual([undefined, undefined]);
  expect(budget.spend(flush)).toContain('limit of 2');
});

describe('what a guest calls on js-interpreter', () => {
  let runner: ScriptRunner;
  beforeAll(async () => (runner = await createScriptRunner({ engine: 'js-interpreter', threads: 1 })));
  afterAll(() => runner.close());

  it.each([
    '__classPrivateFieldSet(1, 1, 1, "f", 1)',
    '__spreadArray(undefined, [1])',
    '__makeTemplateObject(1, 2)',
    '__assign(1, { a: 1 })',
    '__awaiter(1, 2, 3, 4)',
    'eval("__spreadArray(undefined, [1])")',
    'eval("__makeTemplateObject(1, 2)")',
    'eval("__awaiter(1, 2, 3, function () { return 5 })")',
  ])('fails as the script it is: %s', async (source) => {
    const { outcome } = await runner.run({ tenantId: 'acme', source });
    expect(['ok', 'exception', 'syntaxError']).toContain(outcome);
  });
});

describe('what is nested too deeply for the host to write', () => {
  let runner: ScriptRunner;
  const limits = { cpuMs: 30_000 };
  beforeAll(async () => (runner = await createScriptRunner({ engine: 'quickjs', threads: 1, limits })));
  afterAll(() => runner.close());
  const nested = (depth: number): string => `let a = []; for (let i = 0; i < ${depth}; i++) a = [a];`;

  it('is no value of a script, which the host could neither store nor show', async () => {
    const { outcome, error } = await runner.run({ tenantId: 'acme', source: `${nested(5_000)} a` });
    expect([outcome, error?.message]).toEqual(['exceededOutput', expect.stringContaining('1000 levels')]);
    expect((await runner.run({ tenantId: 'acme', source: `${nested(900)} a` })).outcome).toBe('ok');
  }, 60_000);

  it('is no argument of a call', async () => {
    const given: unknown[] = [];
    const bridge = { 'stock.take': (value: unknown) => given.push(value) };
    const source = `${nested(5_000)} try { context.stock.take(a) } catch (e) { e.code }`;
    const { value } = await runner.run({ tenantId: 'acme', source, bridge });
    expect([value, given]).toEqual(['SANDBOX_ARGUMENTS_TOO_DEEP', []]);
  }, 60_000);

  it('does not hide in a string, and is no string', async () => {
    const source = 'const s = "[".repeat(5000) + "\\\\\\"" + "[".repeat(5000); [s]';
    expect((await runner.run({ tenantId: 'acme', source })).outcome).toBe('ok');
  });
});
