import { Patience } from './patience.js';

const spins = (patience: Patience, waits: number, found: boolean): number => {
  let spun = 0;
  for (let i = 0; i < waits; i++)
    patience.spin(() => {
      spun++;
      return found;
    });
  return spun;
};

describe('patience', () => {
  it('spins for every wait while that is worth it', () => {
    expect(spins(new Patience(), 100, true)).toBe(100);
  });

  it('spins for one wait in 64 while nothing comes of it', () => {
    const patience = new Patience();
    expect(spins(patience, 200, false)).toBeLessThan(12);
    expect(spins(patience, 640, false)).toBe(10);
  });

  it('spins again as soon as one spin has found something', () => {
    const patience = new Patience();
    spins(patience, 200, false);
    let until = 0;
    while (spins(patience, 1, true) === 0) until++;
    expect(until).toBeLessThan(64);
    expect(spins(patience, 50, true)).toBe(50);
  });
});
