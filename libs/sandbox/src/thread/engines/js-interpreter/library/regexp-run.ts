import { machine } from '../machine.js';

/** Runs an expression once, from an index. */
export function execute(
  host: RegExp,
  _source: string,
  _flags: string,
  text: string,
  from: number,
): RegExpExecArray | null {
  machine.spend((text.length - from) >> 8);
  host.lastIndex = from;
  return host.exec(text);
}
