import { InvalidOptionError } from './errors/options.errors.js';
import { describeValue } from './errors/sandbox-error.js';

/** A value and where it stands in the options. */
export interface OptionNode {
  readonly path: string;
  readonly value: unknown;
}

/** The longest delay a Node timer takes: 2^31 - 1 milliseconds. */
const LONGEST_MS = 2_147_483_647;

function refuse(node: OptionNode, expected: string): never {
  const value = withoutPassword(node.value);
  throw new InvalidOptionError(node.path, `expected ${expected}, got ${describeValue(value)}`, value);
}

/** Errors end up in logs: the password of a URL is not to. */
function withoutPassword(value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/\/\/[^@/]*@/, '//***@') : value;
}

/** The value as an object, `{}` where it is left out and not `required`. */
export function objectAt(node: OptionNode, required = false, expected = 'an object'): Record<string, unknown> {
  if (node.value === undefined && !required) return {};
  if (node.value === null || typeof node.value !== 'object' || Array.isArray(node.value)) refuse(node, expected);
  return node.value as Record<string, unknown>;
}

/** True or false. A string is refused with the reason it most often is one: the environment. */
export function booleanAt(node: OptionNode, fallback: boolean): boolean {
  if (node.value === undefined) return fallback;
  if (typeof node.value === 'boolean') return node.value;
  const hint = /^(true|false|0|1|yes|no|on|off)?$/i;
  if (typeof node.value === 'string' && hint.test(node.value)) {
    const name = node.path.split('.').pop();
    refuse(node, `true or false (environment variables are strings: compare them, as in ${name}: value === 'true')`);
  }
  return refuse(node, 'true or false');
}

/** A positive number of milliseconds that a timer can wait. */
export function millisecondsAt(node: OptionNode, fallback: number): number {
  if (node.value === undefined) return fallback;
  const { value } = node;
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0)
    refuse(node, 'a positive number of milliseconds');
  if ((value as number) > LONGEST_MS) refuse(node, `at most ${LONGEST_MS} milliseconds`);
  return value as number;
}

/** A whole number. */
export function countAt(node: OptionNode, range: { min: number; unit: string }, fallback: number): number {
  if (node.value === undefined) return fallback;
  if (!Number.isSafeInteger(node.value) || (node.value as number) < range.min)
    refuse(node, `a whole number of ${range.unit}, at least ${range.min}`);
  return node.value as number;
}

/** One of a few words. */
export function choiceAt<T extends string>(node: OptionNode, choices: readonly T[], fallback: T): T {
  if (node.value === undefined) return fallback;
  if (!choices.includes(node.value as T)) {
    const near = typeof node.value === 'string' ? nearest(node.value, choices) : undefined;
    refuse(
      node,
      `one of ${choices.map((choice) => `"${choice}"`).join(', ')}${near ? ` (did you mean "${near}"?)` : ''}`,
    );
  }
  return node.value as T;
}

/** A text of a form. */
export function textAt(node: OptionNode, fallback: string, form: { pattern: RegExp; expected: string }): string {
  if (node.value === undefined) return fallback;
  if (typeof node.value !== 'string' || !form.pattern.test(node.value)) refuse(node, form.expected);
  return node.value as string;
}

/** A function. */
export function functionAt<T>(node: OptionNode, fallback: T): T {
  if (node.value === undefined) return fallback;
  if (typeof node.value !== 'function') refuse(node, 'a function');
  return node.value as T;
}

/** Refuses keys that do not exist, naming the one that was probably meant. */
export function assertKnownKeys(node: OptionNode, known: readonly string[]): void {
  for (const key of Object.keys((node.value ?? {}) as object)) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    const problem = `there is no such option${near ? `; did you mean "${near}"?` : ''} Known here: ${known.join(', ')}`;
    throw new InvalidOptionError(node.path === '' ? key : `${node.path}.${key}`, problem, (node.value as never)[key]);
  }
}

/** The word closest to `word`, if it is close enough to have been meant: a third of its letters, at least two. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  const most = Math.max(2, Math.floor(word.length / 3));
  const ranked = words
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((left, right) => left.distance - right.distance);
  return ranked[0] && ranked[0].distance <= most ? ranked[0].candidate : undefined;
}

/** Levenshtein's distance, by the two-row method of Wagner and Fischer (1974). */
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const change = (row[j - 1] as number) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next[j] = Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1);
    }
    row = next;
  }
  return row[right.length] as number;
}

/** A deep copy, frozen to its leaves; objects with a class, functions and properties named in `except` stay as they are. */
export function frozenCopy<T extends object>(value: T, except: readonly string[] = []): T {
  const entries = Object.entries(value).map(([key, item]) => [key, except.includes(key) ? item : frozen(item, except)]);
  return Object.freeze(Object.fromEntries(entries)) as T;
}

function frozen(value: unknown, except: readonly string[]): unknown {
  if (Array.isArray(value)) return Object.freeze(value.map((item) => frozen(item, except)));
  if (value === null || typeof value !== 'object') return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? frozenCopy(value, except) : value;
}
