import type { RawError, RawFrame } from '../../protocol/raw-error.js';
import type { ScriptError } from '../../protocol/run.js';
import type { CompiledScript } from '../../protocol/script.js';
import { codeFrame, type Place } from './code-frame.js';
import { type PlaceFinder, scriptPlaces } from './position-map.js';

/** A script may throw ten megabytes: what is kept of it, in characters. */
const MAX_NAME = 100;
const MAX_MESSAGE = 2_000;
const MAX_CODE = 100;
/** Frames kept of a call stack, the innermost first. */
const MAX_FRAMES = 20;

/**
 * Puts an engine's error into the author's terms: line, column and frame of the source as written, and a stack of the
 * author's own functions (`    at name (line:column)`, the script itself as `<script>`). Frames that are not the
 * author's are dropped, lengths are capped, and nothing of the host appears. Never throws, whatever `raw` holds.
 */
export function explainError(raw: RawError, script: CompiledScript, source: string): ScriptError {
  const { find, lines } = scriptPlaces(script, source);
  const frames = authoredFrames(raw.frames ?? [], find);
  const place = (raw.position && find(raw.position)) ?? frames[0]?.place;
  const name = shorten(raw.name || 'Error', MAX_NAME);
  const message = shorten(raw.message, MAX_MESSAGE);
  return {
    name,
    message,
    ...(raw.code === undefined ? {} : { code: shorten(raw.code, MAX_CODE) }),
    ...(place && { line: place.line, column: place.column, frame: codeFrame(lines, place) }),
    ...(frames.length > 0 && { stack: [headline(name, message), ...frames.map(frameLine)].join('\n') }),
  };
}

interface AuthoredFrame {
  readonly name: string;
  readonly place: Place;
}

function authoredFrames(frames: readonly RawFrame[], find: PlaceFinder): AuthoredFrame[] {
  const authored: AuthoredFrame[] = [];
  for (const frame of frames) {
    const place = find(frame);
    if (place) authored.push({ name: shorten(frame.name, MAX_NAME) || '<script>', place });
    if (authored.length === MAX_FRAMES) break;
  }
  return authored;
}

function headline(name: string, message: string): string {
  return message ? `${name}: ${message}` : name;
}

function frameLine({ name, place }: AuthoredFrame): string {
  return `    at ${name} (${place.line}:${place.column})`;
}

/** Cuts between code points: half a surrogate pair cannot be stored as UTF-8. */
function shorten(text: string, length: number): string {
  if (text.length <= length) return text;
  const cut = text.slice(0, length);
  return `${/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut}...`;
}
