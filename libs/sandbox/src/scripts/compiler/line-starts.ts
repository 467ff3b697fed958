/** Offsets at which the lines of a text begin; `breaks` matches what ends a line. */
export function lineStarts(text: string, breaks: RegExp): number[] {
  return [0, ...Array.from(text.matchAll(breaks), ({ 0: lineBreak, index }) => index + lineBreak.length)];
}
