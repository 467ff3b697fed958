/**
 * Makes a SQL `LIKE` pattern ready to test texts: `%` is any text, `_` any one character, `\` takes the next one literally.
 * Not by a regular expression: those can take exponential time, and patterns come from tenants. This is the greedy
 * two-pointer method (Krauss, "Matching Wildcards", 2008): at most length of text x length of pattern steps.
 */
export function likeMatcher(pattern: string): (text: string) => boolean {
  const tokens = tokenize(pattern);
  return (text) => matches(text, tokens);
}

function matches(text: string, tokens: readonly (string | symbol)[]): boolean {
  let at = 0;
  let token = 0;
  let retryToken = -1;
  let retryAt = 0;
  while (at < text.length) {
    const wanted = tokens[token];
    if (wanted === ANY_TEXT) {
      retryToken = ++token;
      retryAt = at;
    } else if (wanted === ANY_CHARACTER || (wanted !== undefined && wanted === text[at])) {
      token++;
      at++;
    } else if (retryToken >= 0) {
      token = retryToken;
      at = ++retryAt;
    } else return false;
  }
  while (tokens[token] === ANY_TEXT) token++;
  return token === tokens.length;
}

const ANY_TEXT = Symbol('%');
const ANY_CHARACTER = Symbol('_');

function tokenize(pattern: string): (string | symbol)[] {
  const tokens: (string | symbol)[] = [];
  for (let index = 0; index < pattern.length; index++) {
    const character = pattern[index] as string;
    if (character === '%') tokens.push(ANY_TEXT);
    else if (character === '_') tokens.push(ANY_CHARACTER);
    else if (character === '\\' && index + 1 < pattern.length) tokens.push(pattern[++index] as string);
    else tokens.push(character);
  }
  return tokens;
}
