import type { RawFrame } from '../../../protocol/raw-error.js';

/** The file name that the tenant's code has inside QuickJS. */
export const SCRIPT_FILE = 'script';
/** The file name of our own code inside QuickJS; never shown. */
export const PRELUDE_FILE = 'prelude';
/** Lines that `wrapScript` puts before the author's code. */
const WRAPPER_LINES = 1;
const MAX_FRAMES = 20;

/** The script's code as an expression that evaluates to its function; the wrapper is on lines of its own. */
export function wrapScript(code: string, isAsync: boolean): string {
  return `(${isAsync ? 'async ' : ''}function () {\n${code}\n})`;
}

const FRAME = /^\s*at (?:(.*) \()?script:(\d{1,7})(?::(\d{1,7}))?\)?$/;

/**
 * The frames of a QuickJS stack text (`    at name (file:line:column)`) that lie in the script's own code, as positions of
 * that code. The text can be forged by the guest: whatever does not look like a frame is left out.
 */
export function framesOf(stack: string): RawFrame[] {
  const frames: RawFrame[] = [];
  for (const text of stack.split('\n')) {
    const match = FRAME.exec(text);
    const line = Number(match?.[2]) - WRAPPER_LINES;
    if (!match || line < 1) continue;
    const name = match[1] ?? '';
    frames.push({ name: name.startsWith('<') ? '' : name.slice(0, 100), line, column: Number(match[3] ?? 1) });
    if (frames.length === MAX_FRAMES) break;
  }
  return frames;
}
