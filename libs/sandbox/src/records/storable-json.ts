/** How deep JSON may be nested before PostgreSQL's own parser may run out of stack; far above any honest value. */
const DEEPEST = 1_000;

/**
 * A value as JSON text that a `jsonb` column takes: U+0000 and lone surrogates, which it refuses, become U+FFFD.
 * `null` for `undefined`, and for a value nested too deeply to be stored.
 */
export function storableJson(value: unknown): string | null {
  if (value === undefined) return null;
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined || nesting(text) > DEEPEST) return null;
  // JSON.stringify writes a surrogate as an escape only where it is alone
  return text.replaceAll(/\\(?:\\|u0000|ud[89a-f][0-9a-f]{2})/g, (escape) => (escape === '\\\\' ? escape : '\\ufffd'));
}

/** Depth of the brackets outside of strings. */
function nesting(text: string): number {
  let depth = 0;
  let deepest = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (quoted) {
      if (code === 0x5c) at++;
      else if (code === 0x22) quoted = false;
    } else if (code === 0x22) quoted = true;
    else if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x5d || code === 0x7d) depth--;
  }
  return deepest;
}
