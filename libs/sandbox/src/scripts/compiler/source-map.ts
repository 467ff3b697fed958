/** One mapping of a source map version 3; everything 0-based. */
export interface Segment {
  readonly generatedColumn: number;
  /** Line of the source. */
  readonly line: number;
  /** Column of the source in UTF-16 units. */
  readonly column: number;
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/**
 * The segments of each generated line, by column. Format: ECMA-426, "Mappings"; one source, so of each segment's fields
 * (generated column, source, line, column, name) only three matter. Segments without a source are left out.
 */
export function decodeMappings(mappings: string): Segment[][] {
  let line = 0;
  let column = 0;
  return mappings.split(';').map((group) => {
    let generatedColumn = 0;
    const segments: Segment[] = [];
    for (const text of group.split(',')) {
      const [moved, , lines, columns] = decodeVlq(text);
      if (moved === undefined) continue;
      generatedColumn += moved;
      if (lines === undefined || columns === undefined) continue;
      line += lines;
      column += columns;
      segments.push({ generatedColumn, line, column });
    }
    return segments;
  });
}

/** The `mappings` text of the segments of each generated line. */
export function encodeMappings(lines: readonly (readonly Segment[])[]): string {
  let line = 0;
  let column = 0;
  return lines
    .map((segments) => {
      let generatedColumn = 0;
      return segments
        .map((segment) => {
          const fields = [segment.generatedColumn - generatedColumn, 0, segment.line - line, segment.column - column];
          ({ generatedColumn, line, column } = segment);
          return fields.map(encodeVlq).join('');
        })
        .join(',');
    })
    .join(';');
}

/** Base64 VLQ: five bits a digit, lowest first, the sixth says that more follow; the lowest bit of all is the sign. */
function decodeVlq(text: string): number[] {
  const fields: number[] = [];
  let value = 0;
  let shift = 0;
  for (const character of text) {
    const digit = DIGITS.indexOf(character);
    value += (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    fields.push(value & 1 ? -(value >>> 1) : value >>> 1);
    value = 0;
    shift = 0;
  }
  return fields;
}

function encodeVlq(field: number): string {
  let rest = field < 0 ? (-field << 1) | 1 : field << 1;
  let text = '';
  do {
    const more = rest > 31 ? 32 : 0;
    text += DIGITS[(rest & 31) | more];
    rest >>>= 5;
  } while (rest > 0);
  return text;
}
