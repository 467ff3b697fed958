// A thread that has served any number of runs is as large as it was after the first ones.
import { execFileSync } from 'node:child_process';

interface Report {
  readonly runs: number;
  readonly grownMb: { readonly rss: number; readonly heap: number; readonly external: number };
  /** Whether the memory that runs start from is the same, byte for byte. */
  readonly same: boolean;
}

// QuickJS: 10 s of CPU
describe.each([
  ['quickjs', 100_000],
  ['js-interpreter', 5_000],
])('a thread with %s', (engine, runs) => {
  it(`does not grow over ${runs} runs, hostile ones among them`, () => {
    const args = ['--expose-gc', 'test/security/check-growth.mjs', engine, String(runs)];
    const { grownMb, same, ...report } = JSON.parse(
      execFileSync(process.execPath, args, { encoding: 'utf8' }),
    ) as Report;
    expect(report.runs).toBe(runs);
    expect(same).toBe(true);
    // 40 bytes a run, kept, would be 4 MB
    expect(grownMb.heap).toBeLessThan(4);
    expect(grownMb.external).toBeLessThan(4);
    // what V8 sets aside for itself comes and goes
    expect(grownMb.rss).toBeLessThan(64);
  }, 240_000);
});
