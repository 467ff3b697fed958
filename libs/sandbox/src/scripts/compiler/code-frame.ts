/** A place in the author's source: 1-based line, 1-based column in UTF-16 units, as editors count. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Lines shown above and below the line in question. */
const CONTEXT_LINES = 2;
/** Characters shown of one line: a minified source is one line of many thousands. */
const LINE_WIDTH = 120;

/** The lines of a text as editors number them. */
export function splitLines(text: string): string[] {
  return text.split(/\r\n|\r|\n/);
}

/** The place of an offset in a text. */
export function lineAndColumn(text: string, offset: number): Place {
  const lines = splitLines(text.slice(0, offset));
  return { line: lines.length, column: lines.at(-1)!.length + 1 };
}

/**
 * The source around a place, with line numbers, two lines of context and a caret below the column:
 * ```
 *   1 | const order = context.record;
 * > 2 | order.customer.name;
 *     |                ^
 * ```
 * Long lines are cut to the 120 characters around the column. Empty where the source has no such line.
 */
export function codeFrame(source: string, place: Place): string {
  const lines = splitLines(source);
  const text = lines[place.line - 1];
  if (text === undefined) return '';
  const first = Math.max(1, place.line - CONTEXT_LINES);
  const last = Math.min(lines.length, place.line + CONTEXT_LINES);
  const from = windowStart(text, place.column);
  const width = String(last).length;
  const shown: string[] = [];
  for (let line = first; line <= last; line++) {
    const marker = line === place.line ? '>' : ' ';
    shown.push(`${marker} ${String(line).padStart(width)} | ${visible(lines[line - 1]!, from)}`.trimEnd());
    if (line === place.line) shown.push(`  ${' '.repeat(width)} | ${caret(text, from, place.column)}`);
  }
  return shown.join('\n');
}

function windowStart(text: string, column: number): number {
  return text.length <= LINE_WIDTH ? 0 : Math.max(0, Math.min(column - 1 - LINE_WIDTH / 2, text.length - LINE_WIDTH));
}

/** Control characters other than tabs would move the caret, or worse, in a terminal. */
function visible(text: string, from: number): string {
  // eslint-disable-next-line no-control-regex
  return text.slice(from, from + LINE_WIDTH).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, ' ');
}

function caret(text: string, from: number, column: number): string {
  return `${text.slice(from, Math.max(from, column - 1)).replace(/[^\t]/g, ' ')}^`;
}
