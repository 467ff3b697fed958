import { describeValue } from '../errors/sandbox-error.js';
import { InvalidScriptError } from '../errors/script.errors.js';
import { nearest } from '../sandbox.options.checks.js';
import type { EntityEntry } from './entity-catalog.js';
import type { Debounce, Dedupe, ScriptDefinition, Throttle } from './script.js';

/** Thirty days: what a window has to remember are rows. */
const LONGEST_MS = 30 * 24 * 3_600_000;
const MOST_KEYS = 10;
const MOST_LIMIT = 1_000_000;
const GATES = ['dedupe', 'debounce', 'throttle'] as const;

/** Checks what a script says of `dedupe`, `debounce` and `throttle`; throws `InvalidScriptError`, which names the place. */
export function checkGates(
  given: Partial<Record<(typeof GATES)[number], unknown>>,
  entry: EntityEntry,
): Pick<ScriptDefinition, 'dedupe' | 'debounce' | 'throttle'> {
  const named = GATES.filter((name) => given[name] !== undefined && given[name] !== null);
  if (named.length > 1) {
    const problem = `a script has one of dedupe, debounce and throttle, not ${named.join(' and ')}`;
    throw new InvalidScriptError(
      named[1] as string,
      `${problem}. Which one is to decide?`,
      given[named[1] as 'dedupe'],
    );
  }
  return {
    ...(named[0] === 'dedupe' ? { dedupe: checkKeyed('dedupe', given.dedupe, 'windowMs', entry) as Dedupe } : {}),
    ...(named[0] === 'debounce'
      ? { debounce: checkKeyed('debounce', given.debounce, 'delayMs', entry) as Debounce }
      : {}),
    ...(named[0] === 'throttle' ? { throttle: checkThrottle(given.throttle) } : {}),
  };
}

function checkKeyed(gate: string, value: unknown, time: string, entry: EntityEntry): object {
  const given = objectOf(gate, value, ['key', time]);
  return {
    ...keyOf(`${gate}.key`, given['key'], entry),
    [time]: wholeNumber(`${gate}.${time}`, given[time], LONGEST_MS),
  };
}

function checkThrottle(value: unknown): Throttle {
  const given = objectOf('throttle', value, ['limit', 'windowMs']);
  return {
    limit: wholeNumber('throttle.limit', given['limit'], MOST_LIMIT),
    windowMs: wholeNumber('throttle.windowMs', given['windowMs'], LONGEST_MS),
  };
}

function objectOf(path: string, value: unknown, known: readonly string[]): Record<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new InvalidScriptError(path, `expected { ${known.join(', ')} }, got ${describeValue(value)}`, value);
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    const hint = near ? `; did you mean "${near}"?` : '.';
    throw new InvalidScriptError(`${path}.${key}`, `there is no such property${hint} Known: ${known.join(', ')}`, key);
  }
  return value as Record<string, unknown>;
}

function keyOf(path: string, key: unknown, entry: EntityEntry): { key?: readonly string[] } {
  if (key === undefined || key === null) return {};
  if (!Array.isArray(key) || key.length === 0 || key.length > MOST_KEYS) {
    const expected = `an array of 1 to ${MOST_KEYS} field names, such as ["${entry.fields[0]?.name ?? 'id'}"]`;
    throw new InvalidScriptError(path, `expected ${expected}, got ${describeValue(key)}; left out, it is the id`, key);
  }
  for (const name of key as unknown[]) {
    if (typeof name === 'string' && entry.fieldsByName.has(name)) continue;
    const names = entry.fields.map((field) => field.name);
    const near = typeof name === 'string' ? nearest(name, names) : undefined;
    const hint = near ? `; did you mean "${near}"?` : '.';
    const problem = `${entry.name} has no ${describeValue(name)}${hint} It has ${names.join(', ')}`;
    throw new InvalidScriptError(path, problem, name);
  }
  return { key: key as string[] };
}

function wholeNumber(path: string, value: unknown, most: number): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most) return value as number;
  throw new InvalidScriptError(path, `expected a whole number from 1 to ${most}, got ${describeValue(value)}`, value);
}
