import { isTooDeep } from '../protocol/json-depth.js';

/**
 * A value as JSON text that a `jsonb` column takes: U+0000 and lone surrogates, which it refuses, become U+FFFD.
 * `null` for `undefined`, and for a value nested too deeply to be stored.
 */
export function storableJson(value: unknown): string | null {
  if (value === undefined) return null;
  const text = textOf(value);
  if (text === undefined || isTooDeep(text)) return null;
  // JSON.stringify writes a surrogate as an escape only where it is alone
  return text.replaceAll(/\\(?:\\|u0000|ud[89a-f][0-9a-f]{2})/g, (escape) => (escape === '\\\\' ? escape : '\\ufffd'));
}

function textOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value) as string | undefined;
  } catch (error) {
    // nested so deeply that V8 cannot write it
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
