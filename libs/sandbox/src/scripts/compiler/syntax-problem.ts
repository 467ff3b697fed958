import type { ScriptError } from '../../protocol/run.js';
import { codeFrame, SourceLines } from './code-frame.js';

/** A fault in a source, at an offset. Thrown inside the compiler only; authors see it as a `ScriptError`. */
export class SyntaxProblem extends SyntaxError {
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
  }

  /** The fault with its line, column and frame. */
  explain(source: string): ScriptError {
    const lines = new SourceLines(source);
    const place = lines.placeOf(this.offset);
    return { name: 'SyntaxError', message: this.message, ...place, frame: codeFrame(lines, place) };
  }
}
