// The memory from which QuickJS runs start is the same, byte for byte, whatever the runs before did.
import { execFileSync } from 'node:child_process';

interface Report {
  readonly hostile: { readonly found: readonly string[]; readonly tried: number };
  readonly repeated: { readonly values: readonly string[]; readonly same: boolean };
  readonly unrestored: { readonly same: boolean };
}

describe('the memory image', () => {
  let report: Report;
  beforeAll(() => {
    report = JSON.parse(
      execFileSync(process.execPath, ['test/security/check-image.mjs'], { encoding: 'utf8' }),
    ) as Report;
  }, 240_000);

  it('is the same after every hostile program that an interrupt reaches', () => {
    expect(report.hostile.found).toEqual([]);
    expect(report.hostile.tried).toBeGreaterThan(120);
  });

  it('is the same after ten thousand runs, and each of them starts anew', () => {
    expect(report.repeated).toEqual({ values: ['"1:7"'], same: true });
  });

  it('is another one while what a run wrote has not been written over', () => {
    expect(report.unrestored.same).toBe(false);
  });
});
