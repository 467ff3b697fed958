import { toNumber } from '../convert.js';
import { power } from '../evaluator/operators.js';
import type { Native } from '../evaluator/functions.js';
import type { Obj, Value } from '../values.js';
import { defineConstants, defineNamespace, type Methods } from './define.js';

const ONE_ARGUMENT = [
  'abs',
  'acos',
  'acosh',
  'asin',
  'asinh',
  'atan',
  'atanh',
  'cbrt',
  'ceil',
  'clz32',
  'cos',
  'cosh',
  'exp',
  'expm1',
  'floor',
  'fround',
  'log',
  'log10',
  'log1p',
  'log2',
  'round',
  'sign',
  'sin',
  'sinh',
  'sqrt',
  'tan',
  'tanh',
  'trunc',
] as const;

function each(name: (typeof ONE_ARGUMENT)[number]): Native {
  const host = Math[name];
  return (_self, [value]) => host(toNumber(value));
}

function extreme(otherwise: number, better: (a: number, b: number) => boolean): Native {
  return (_self, values) => {
    let result = otherwise;
    for (const value of values) {
      const number = toNumber(value);
      if (Number.isNaN(number) || Number.isNaN(result)) result = NaN;
      else if (better(number, result)) result = number;
    }
    return result;
  };
}

/** `Math` (ECMA-262 21.3). */
export function installMath(global: Obj): void {
  const methods: Methods = {
    ...Object.fromEntries(ONE_ARGUMENT.map((name) => [name, [1, each(name)] as const])),
    atan2: [2, (_self, [y, x]) => Math.atan2(toNumber(y), toNumber(x))],
    hypot: [2, (_self, values) => Math.hypot(...values.map(toNumber))],
    imul: [2, (_self, [a, b]) => Math.imul(toNumber(a), toNumber(b))],
    max: [2, extreme(-Infinity, (a, b) => a > b || (a === 0 && b === 0 && !Object.is(a, -0)))],
    min: [2, extreme(Infinity, (a, b) => a < b || (a === 0 && b === 0 && Object.is(a, -0)))],
    // Also what the compiler makes of `a ** b`: big integers have a power, though not through Math.pow proper.
    pow: [2, (_self, [base, exponent]) => power(base, exponent)],
    random: [0, () => Math.random()],
  };
  const math = defineNamespace(global, 'Math', methods);
  const names = ['E', 'LN10', 'LN2', 'LOG10E', 'LOG2E', 'PI', 'SQRT1_2', 'SQRT2'] as const;
  defineConstants(math, Object.fromEntries(names.map((name): [string, Value] => [name, Math[name]])));
}
