import type { RawPosition } from '../../protocol/raw-error.js';
import type { CompiledScript } from '../../protocol/script.js';
import { WeightedLru } from '../weighted-lru.js';
import { type Place, SourceLines } from './code-frame.js';
import { type Insertions, offsetFinder } from './edits.js';
import { countUpTo } from './line-starts.js';
import { walkMappings } from './source-map.js';

/**
 * Finds the author's place for a position of compiled code. A position inside what the compiler added is the place it
 * was added at; `undefined` where there is none (code of ours alone, or nonsense from a hostile script).
 */
export type PlaceFinder = (position: RawPosition) => Place | undefined;

/** What it takes to show a script's positions to its author. */
export interface ScriptPlaces {
  readonly lines: SourceLines;
  readonly find: PlaceFinder;
}

interface Kept extends ScriptPlaces {
  readonly code: string;
  readonly weight: number;
}

/** Bytes of positions kept, of the scripts that failed last. */
const KEPT_BYTES = 16 * 1024 * 1024;
const kept = new WeightedLru<string, Kept>(KEPT_BYTES);

/**
 * The places of a script: worked out with its first error and kept, so that a script which fails again and again takes
 * no time of the process that says so.
 */
export function scriptPlaces(script: CompiledScript, source: string): ScriptPlaces {
  const known = kept.get(script.hash);
  if (known && known.code === script.code && known.lines.text === source) return known;
  const lines = new SourceLines(source);
  const places = { lines, find: placeFinder(script, lines), code: script.code, weight: weightOf(script, lines) };
  kept.set(script.hash, places);
  return places;
}

/** Roughly the bytes of texts, lines and positions; three numbers for each segment of five or more characters. */
function weightOf({ code, positions }: CompiledScript, { text, count }: SourceLines): number {
  const mapped = positions.kind === 'source-map' ? positions.mappings.length : positions.insertions.length * 24;
  return 2 * (code.length + text.length) + 8 * count + 5 * mapped;
}

function placeFinder({ code, positions }: CompiledScript, lines: SourceLines): PlaceFinder {
  return positions.kind === 'source-map'
    ? sourceMapFinder(positions.mappings, lines)
    : insertionFinder(code, positions.insertions, lines);
}

function insertionFinder(code: string, insertions: Insertions, lines: SourceLines): PlaceFinder {
  const offsetOf = engineOffsets(code);
  const original = offsetFinder(insertions);
  return (position) => {
    const offset = offsetOf(position);
    return offset === undefined ? undefined : lines.placeOf(original(offset));
  };
}

/** Offsets of positions as QuickJS gives them: it ends lines at `\n` alone and counts columns in code points. */
function engineOffsets(code: string): (position: RawPosition) => number | undefined {
  const starts = [0];
  for (let at = code.indexOf('\n'); at >= 0; at = code.indexOf('\n', at + 1)) starts.push(at + 1);
  const wide = wideCharacters(code);
  return ({ line, column }) => {
    const start = starts[line - 1];
    if (start === undefined) return undefined;
    const end = (starts[line] ?? code.length + 1) - 1;
    const point = start - countUpTo(wide.units, start - 1) + Math.max(0, column - 1 || 0);
    return Math.min(point + countUpTo(wide.points, point - 1), end);
  };
}

/** Where the characters of two units stand, counted in units and in code points. */
function wideCharacters(text: string): { readonly units: number[]; readonly points: number[] } {
  const units: number[] = [];
  const points: number[] = [];
  for (let at = 0; at < text.length; at++) {
    if (text.codePointAt(at)! <= 0xffff) continue;
    points.push(at - units.length);
    units.push(at++);
  }
  return { units, points };
}

/** The nearest mapped place at or before the position, on its line; the first of the line where there is none. */
function sourceMapFinder(mappings: string, lines: SourceLines): PlaceFinder {
  const columns: number[] = [];
  const places: number[] = [];
  const lineFirsts: number[] = [];
  walkMappings(mappings, (generatedLine, generatedColumn, line, column) => {
    while (lineFirsts.length <= generatedLine) lineFirsts.push(columns.length);
    columns.push(generatedColumn);
    places.push(line, column);
  });
  return ({ line, column }) => {
    const first = lineFirsts[line - 1];
    const end = lineFirsts[line] ?? columns.length;
    if (first === undefined || first === end) return undefined;
    const index = Math.max(countUpTo(columns, column - 1, first, end) - 1, first);
    const text = lines.line(places[2 * index]! + 1);
    return text === undefined
      ? undefined
      : { line: places[2 * index]! + 1, column: Math.min(places[2 * index + 1]!, text.length) + 1 };
  };
}
