import { countUpTo } from './line-starts.js';

/** `[offset in the edited text, inserted characters]`, ascending: the `insertions` kind of a `PositionMap`. */
export type Insertions = readonly (readonly [offset: number, length: number])[];

interface Insertion {
  readonly at: number;
  readonly text: string;
}

/**
 * Edits of a text that keep every character where it was: ranges are blanked (line breaks stay), single characters
 * replaced, and text inserted. Offsets are those of the original text; insertions at one offset keep their order.
 */
export class Edits {
  private readonly overwritten = new Map<number, string>();
  private readonly blanked: (readonly [start: number, end: number])[] = [];
  private readonly inserted: Insertion[] = [];

  constructor(readonly source: string) {}

  /** Turns a range into spaces. */
  blank(start: number, end: number): void {
    if (end > start) this.blanked.push([start, end]);
  }

  /** Puts one character in the place of another; wins over `blank`. */
  put(at: number, character: string): void {
    this.overwritten.set(at, character);
  }

  insert(at: number, text: string): void {
    this.inserted.push({ at, text });
  }

  /** The edited text, and where characters were inserted. */
  apply(): { readonly text: string; readonly insertions: Insertions } {
    const text = this.overwrite();
    const insertions: [number, number][] = [];
    let result = '';
    let from = 0;
    for (const { at, text: added } of this.inserted.toSorted((a, b) => a.at - b.at)) {
      result += text.slice(from, at);
      insertions.push([result.length, added.length]);
      result += added;
      from = at;
    }
    return { text: result + text.slice(from), insertions };
  }

  private overwrite(): string {
    if (this.blanked.length === 0 && this.overwritten.size === 0) return this.source;
    const units = this.source.split('');
    for (const [start, end] of this.blanked)
      for (let at = start; at < end; at++) if (!isLineBreak(units[at]!)) units[at] = ' ';
    for (const [at, character] of this.overwritten) units[at] = character;
    return units.join('');
  }
}

/** ECMAScript's line terminators: all four must survive, or semicolons are inserted elsewhere than the author wrote. */
function isLineBreak(unit: string): boolean {
  return unit === '\n' || unit === '\r' || unit === '\u2028' || unit === '\u2029';
}

/**
 * Finds the offset in the original text of an offset in the edited one; inside an insertion, the place it was inserted at.
 */
export function offsetFinder(insertions: Insertions): (offset: number) => number {
  const starts = insertions.map(([at]) => at);
  const moved = [0];
  insertions.forEach(([, length], index) => moved.push(moved[index]! + length));
  return (offset) => {
    const count = countUpTo(starts, offset);
    const [at, length] = insertions[count - 1] ?? [0, 0];
    return offset < at + length ? at - moved[count - 1]! : offset - moved[count]!;
  };
}
