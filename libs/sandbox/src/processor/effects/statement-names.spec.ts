import { StatementNames } from './statement-names.js';

describe('statement names', () => {
  it('are given from the second time on, and stay', () => {
    const names = new StatementNames();
    expect(names.statement('select 1', [])).toEqual({ text: 'select 1', values: [] });
    const { name } = names.statement('select 1', []);
    expect(name).toMatch(/^sandbox_[\w-]{32}$/);
    expect(names.statement('select 1', [7])).toEqual({ text: 'select 1', values: [7], name });
    expect(Buffer.byteLength(name as string)).toBeLessThan(64);
  });

  it('run out, so that a script that never repeats itself does not fill the server', () => {
    const names = new StatementNames(3);
    const twice = (text: string) => (names.statement(text, []), names.statement(text, []).name);
    const given = Array.from({ length: 100 }, (_, n) => twice(`select ${n}`)).filter(Boolean);
    expect(given).toHaveLength(3);
    expect(names.statement('select 0', []).name).toBe(given[0]);
  });
});
