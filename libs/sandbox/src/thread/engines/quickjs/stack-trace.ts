import type { RawFrame } from '../../../protocol/raw-error.js';

/** The file name that the tenant's code has inside QuickJS. */
export const SCRIPT_FILE = 'script';
/** The file name of our own code inside QuickJS: a script can read it in `error.stack`. */
export const PRELUDE_FILE = 'native';
const MAX_FRAMES = 20;

function head(isAsync: boolean): string {
  return `(${isAsync ? 'async ' : ''}function () {`;
}

/**
 * The script's code as an expression that evaluates to its function. It begins on the first line, so that the lines of
 * `error.stack`, which a script can read, are the author's.
 */
export function wrapScript(code: string, isAsync: boolean): string {
  return `${head(isAsync)}${code}\n})`;
}

const FRAME = /^\s*at (?:(.*) \()?script:(\d{1,7})(?::(\d{1,7}))?\)?$/;

/**
 * The frames of a QuickJS stack text (`    at name (file:line:column)`) that lie in the script's own code, as positions of
 * that code. The text can be forged by the guest: whatever does not look like a frame is left out.
 */
export function framesOf(stack: string, isAsync: boolean): RawFrame[] {
  const moved = head(isAsync).length;
  const frames: RawFrame[] = [];
  for (const text of stack.split('\n')) {
    const match = FRAME.exec(text);
    if (!match) continue;
    const [, name = '', lineText, columnText] = match;
    const line = Number(lineText);
    const column = Number(columnText ?? 1) - (line === 1 ? moved : 0);
    if (line < 1 || column < 1) continue;
    frames.push({ name: name.startsWith('<') ? '' : name.slice(0, 100), line, column });
    if (frames.length === MAX_FRAMES) break;
  }
  return frames;
}
