import { countUpTo } from './line-starts.js';

/** A place in the author's source: 1-based line, 1-based column in UTF-16 units, as editors count. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Lines shown above and below the line in question. */
const CONTEXT_LINES = 2;
/** Characters shown of one line: a minified source is one line of many thousands. */
const LINE_WIDTH = 120;

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** A text and where its lines begin, as editors number them: they end with CR LF, LF or CR. Made in one pass. */
export class SourceLines {
  private readonly starts: number[] = [0];

  constructor(readonly text: string) {
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      const isEnd = unit === LINE_FEED || (unit === CARRIAGE_RETURN && text.charCodeAt(at + 1) !== LINE_FEED);
      if (isEnd) this.starts.push(at + 1);
    }
  }

  get count(): number {
    return this.starts.length;
  }

  /** A line without what ends it; `undefined` where there is none of that number. */
  line(number: number): string | undefined {
    const start = this.starts[number - 1];
    return start === undefined ? undefined : this.text.slice(start, this.end(number));
  }

  /** The place of an offset; of the end for one beyond it. */
  placeOf(offset: number): Place {
    const within = Math.min(offset, this.text.length);
    const line = countUpTo(this.starts, within);
    return { line, column: within - this.starts[line - 1]! + 1 };
  }

  private end(number: number): number {
    const next = this.starts[number];
    if (next === undefined) return this.text.length;
    return this.text.charCodeAt(next - 2) === CARRIAGE_RETURN && this.text.charCodeAt(next - 1) === LINE_FEED
      ? next - 2
      : next - 1;
  }
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
export function codeFrame(source: SourceLines, place: Place): string {
  const text = source.line(place.line);
  if (text === undefined) return '';
  const first = Math.max(1, place.line - CONTEXT_LINES);
  const last = Math.min(source.count, place.line + CONTEXT_LINES);
  const from = windowStart(text, place.column);
  const width = String(last).length;
  const shown: string[] = [];
  for (let line = first; line <= last; line++) {
    const marker = line === place.line ? '>' : ' ';
    shown.push(`${marker} ${String(line).padStart(width)} | ${visible(source.line(line)!, from)}`.trimEnd());
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
