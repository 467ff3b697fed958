/**
 * How deep JSON may be nested: far above any honest value. V8's own `JSON.stringify` runs out of stack from some 4,000
 * levels on, the parsers of databases and of other programs sooner.
 */
export const DEEPEST_JSON = 1_000;

/** Whether a text of JSON is nested more deeply than that. Brackets inside strings do not count. */
export function isTooDeep(text: string): boolean {
  // each level takes two brackets
  if (text.length <= 2 * DEEPEST_JSON) return false;
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (quoted) {
      if (code === 0x5c) at++;
      else if (code === 0x22) quoted = false;
    } else if (code === 0x22) quoted = true;
    else if (code === 0x5b || code === 0x7b) {
      if (++depth > DEEPEST_JSON) return true;
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  return false;
}
