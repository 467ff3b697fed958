import type { RawPosition } from '../../protocol/raw-error.js';
import type { CompiledScript } from '../../protocol/script.js';
import { lineAndColumn, type Place, splitLines } from './code-frame.js';
import { originalOffset } from './edits.js';
import { decodeMappings, type Segment } from './source-map.js';

/**
 * Finds the author's place for a position of compiled code. A position inside what the compiler added is the place it
 * was added at; `undefined` where there is none (code of ours alone, or nonsense from a hostile script).
 */
export type PlaceFinder = (position: RawPosition) => Place | undefined;

/** Decodes the script's map once. */
export function placeFinder(script: CompiledScript, source: string): PlaceFinder {
  const { positions } = script;
  if (positions.kind === 'source-map') return sourceMapFinder(decodeMappings(positions.mappings), source);
  const lines = script.code.split('\n');
  return (position) => {
    const offset = engineOffset(lines, position);
    if (offset === undefined) return undefined;
    return lineAndColumn(source, Math.min(originalOffset(positions.insertions, offset), source.length));
  };
}

/** QuickJS ends lines at `\n` alone and counts columns in code points. */
function engineOffset(lines: readonly string[], { line, column }: RawPosition): number | undefined {
  const text = lines[line - 1];
  if (text === undefined) return undefined;
  const before = lines.slice(0, line - 1).reduce((sum, { length }) => sum + length + 1, 0);
  return (
    before +
    Array.from(text)
      .slice(0, column - 1)
      .join('').length
  );
}

/** The nearest mapped place at or before the position, on its line. */
function sourceMapFinder(lines: readonly (readonly Segment[])[], source: string): PlaceFinder {
  const authored = splitLines(source);
  return ({ line, column }) => {
    const segments = lines[line - 1] ?? [];
    const segment = segments.findLast(({ generatedColumn }) => generatedColumn <= column - 1) ?? segments[0];
    if (!segment || segment.line >= authored.length) return undefined;
    return { line: segment.line + 1, column: Math.min(segment.column, authored[segment.line]!.length) + 1 };
  };
}
