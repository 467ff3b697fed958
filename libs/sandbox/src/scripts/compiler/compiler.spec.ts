import { createScriptCompiler } from './compiler.js';
import type { CompileRequest, ScriptCompiler } from './script-compiler.js';

const request = (source: string): CompileRequest => ({ source, language: 'javascript', engine: 'quickjs' });

describe('the script compiler', () => {
  let compiler: ScriptCompiler;
  beforeEach(() => (compiler = createScriptCompiler({ timeoutMs: 5_000, cacheSize: 2 })));
  afterEach(() => compiler.close());

  it('compiles in a thread, with a hash of everything the result depends on', async () => {
    const result = await compiler.compile(request('1 + 1'));
    expect(result).toMatchObject({ ok: true, script: { engine: 'quickjs', code: 'return (1 + 1);', async: false } });
    const typescript = await compiler.compile({ ...request('1 + 1'), language: 'typescript' });
    expect(typescript.ok && typescript.script.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(typescript.ok && result.ok && typescript.script.hash === result.script.hash).toBe(false);
  });

  it('reports a syntax error with its place', async () => {
    expect(await compiler.compile(request('const = 1'))).toMatchObject({
      ok: false,
      error: { name: 'SyntaxError', line: 1, column: 7 },
    });
  });

  it('compiles equal requests once and forgets the oldest', async () => {
    const first = compiler.compile(request('1'));
    expect(compiler.compile(request('1'))).toBe(first);
    await compiler.compile(request('2'));
    await compiler.compile(request('3'));
    const again = compiler.compile(request('1'));
    expect(again).not.toBe(first);
    await again;
  });

  it('ends a source that takes too long, and serves the next one', async () => {
    const impatient = createScriptCompiler({ timeoutMs: 700 });
    await impatient.compile(request('1'));
    const slow = `${'a?(b):c=>'.repeat(12)}${'x = { a: [1, 2, 3] };\n'.repeat(2_000_000)}`;
    const [bomb, innocent] = await Promise.all([impatient.compile(request(slow)), impatient.compile(request('2'))]);
    expect(bomb).toMatchObject({
      ok: false,
      error: { name: 'SyntaxError', message: expect.stringContaining('longer than 700 ms') },
    });
    expect(innocent.ok).toBe(true);
    await impatient.close();
  });

  it.each([
    '('.repeat(100_000),
    'a=>'.repeat(30_000),
    '-'.repeat(99_999),
    'if(1)'.repeat(20_000),
    '[{a:'.repeat(20_000),
  ])('survives a parser bomb (%.5s...)', async (bomb) => {
    expect(await compiler.compile(request(bomb))).toMatchObject({ ok: false, error: { name: 'SyntaxError' } });
    expect((await compiler.compile(request('1'))).ok).toBe(true);
  });

  it('refuses to compile once closed', async () => {
    await compiler.close();
    await expect(compiler.compile(request('5'))).rejects.toMatchObject({ code: 'SANDBOX_COMPILER_CLOSED' });
  });
});
