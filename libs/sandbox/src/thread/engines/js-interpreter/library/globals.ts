import { toNumber, toText } from '../convert.js';
import { indirectEval } from '../evaluator/eval.js';
import { machine, throwError } from '../machine.js';
import { HIDDEN, type Obj } from '../values.js';
import { defineConstants, defineMethod } from './define.js';

const CODECS = { decodeURI, decodeURIComponent, encodeURI, encodeURIComponent, escape, unescape };

/** The functions and values of the global object (ECMA-262 19). */
export function installGlobals(global: Obj): void {
  global.put('globalThis', global, HIDDEN);
  defineConstants(global, { NaN, Infinity, undefined });
  defineMethod(global, 'isNaN', 1, (_self, [value]) => Number.isNaN(toNumber(value)));
  defineMethod(global, 'isFinite', 1, (_self, [value]) => Number.isFinite(toNumber(value)));
  const evaluate = defineMethod(global, 'eval', 1, (_self, [text]) => indirectEval(text));
  Object.assign(evaluate, { isEval: true });
  for (const [name, codec] of Object.entries(CODECS))
    defineMethod(global, name, 1, (_self, [value]) => {
      const text = toText(value);
      // A character becomes at most nine: `%E4%B8%AD`.
      machine.chargeString(text.length * (name.startsWith('encode') ? 9 : 6));
      machine.spend(text.length >> 4);
      try {
        return codec(text);
      } catch {
        return throwError('URIError', 'URI malformed');
      }
    });
}
