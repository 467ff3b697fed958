/** One mapping of a source map version 3; everything 0-based. */
export interface Segment {
  readonly generatedColumn: number;
  /** Line of the source. */
  readonly line: number;
  /** Column of the source in UTF-16 units. */
  readonly column: number;
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUES = new Int8Array(128);
for (let digit = 0; digit < DIGITS.length; digit++) VALUES[DIGITS.charCodeAt(digit)] = digit;
const COMMA = 44;
const SEMICOLON = 59;

/** Called with every segment in its order, `generatedLine` 0-based as all of it. */
export type SegmentVisitor = (generatedLine: number, generatedColumn: number, line: number, column: number) => void;

/**
 * Decodes in one pass, without an object per segment: the map of 100 KiB of source can be a megabyte. Format: ECMA-426,
 * "Mappings"; one source, so of each segment's fields (generated column, source, line, column, name) only three matter.
 * Segments without a source are left out. Returns how many generated lines there are.
 */
export function walkMappings(mappings: string, visit: SegmentVisitor): number {
  const fields = [0, 0, 0, 0, 0];
  let count = 0;
  let [generatedLine, generatedColumn, line, column, shift] = [0, 0, 0, 0, 0];
  for (let at = 0; at <= mappings.length; at++) {
    const unit = at < mappings.length ? mappings.charCodeAt(at) : SEMICOLON;
    if (unit !== COMMA && unit !== SEMICOLON) {
      const digit = VALUES[unit] ?? 0;
      fields[count] = (shift === 0 ? 0 : fields[count]!) + ((digit & 31) << shift);
      shift = digit & 32 ? shift + 5 : 0;
      if (shift === 0) count++;
      continue;
    }
    if (count > 0) generatedColumn += signed(fields[0]!);
    if (count >= 4) {
      line += signed(fields[2]!);
      column += signed(fields[3]!);
      visit(generatedLine, generatedColumn, line, column);
    }
    count = 0;
    if (unit === COMMA) continue;
    generatedLine++;
    generatedColumn = 0;
  }
  return generatedLine;
}

/** The segments of each generated line, by column. */
export function decodeMappings(mappings: string): Segment[][] {
  const lines: Segment[][] = [];
  const count = walkMappings(mappings, (generatedLine, generatedColumn, line, column) => {
    (lines[generatedLine] ??= []).push({ generatedColumn, line, column });
  });
  return Array.from({ length: count }, (_, index) => lines[index] ?? []);
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

/** Of a Base64 VLQ (five bits a digit, lowest first, the sixth says that more follow), the lowest bit of all is the sign. */
function signed(value: number): number {
  return value & 1 ? -(value >>> 1) : value >>> 1;
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
