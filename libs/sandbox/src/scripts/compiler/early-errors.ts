import { Script } from 'node:vm';
import { lineStarts } from './line-starts.js';
import { SyntaxProblem } from './syntax-problem.js';

const FILE = 'script.js';

/**
 * Finds what TypeScript's parser lets pass and an engine of the language must not (a name declared twice, a rest element
 * that is not the last): QuickJS reports these itself when it loads a script, the transforms to ES5 would swallow them.
 * V8 only parses the text here; it is never run, and there is no context in which it could be.
 * @param place The author's offset for an offset in `body`.
 * @throws SyntaxProblem
 */
export function checkEarlyErrors(body: string, async: boolean, place: (offset: number) => number): void {
  const prefix = `(${async ? 'async ' : ''}function () {`;
  const text = `${prefix}${body}\n})`;
  try {
    void new Script(text, { filename: FILE });
  } catch (error) {
    // By name: where test runners have globals of their own, it is an instance of another SyntaxError.
    if ((error as Error).name !== 'SyntaxError') throw error;
    throw new SyntaxProblem((error as Error).message, place(faultOffset(error as Error, text) - prefix.length));
  }
}

/** Node writes the line's number, the line and a caret before the stack. */
function faultOffset(error: Error, text: string): number {
  const [where = '', , caret = ''] = error.stack?.split('\n') ?? [];
  const line = Number(where.slice(FILE.length + 1));
  const start = lineStarts(text, /\r\n|[\n\r\u2028\u2029]/g)[line - 1] ?? 0;
  return start + Math.max(0, caret.indexOf('^'));
}
