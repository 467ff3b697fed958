import { amountText } from './amount.js';

describe('an amount', () => {
  it.each([
    [19.9, '19.9'],
    [0.1, '0.1'],
    [0, '0'],
    [814.425, '814.425'],
    [142.79999999999998, '142.79999999999998'],
    [1e-7, '0.00000010000000000000'],
    [999_999_999_999.99, '999999999999.99'],
    ['19.90', '19.90'],
    ['0', '0'],
  ])('%p is kept as %p', (value, text) => {
    expect(amountText(value)).toBe(text);
  });

  it.each([
    -1,
    NaN,
    Infinity,
    1e12,
    '',
    '1e3',
    '-5',
    '1,5',
    '.5',
    ' 1',
    '1'.repeat(13),
    null,
    undefined,
    true,
    {},
    [1],
  ])('%p is refused', (value) => {
    expect(amountText(value)).toBeUndefined();
  });
});
