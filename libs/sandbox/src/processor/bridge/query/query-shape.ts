import { InvalidQueryError } from '../../../errors/bridge.errors.js';
import { describeValue } from '../../../errors/sandbox-error.js';
import { nearMatches } from '../near-matches.js';

/** How much of everything one query may hold. */
export const QUERY_CAPS = {
  /** Nesting of conditions and includes. */
  depth: 8,
  conditions: 100,
  /** Values of one `in`, `notIn`. */
  listLength: 1_000,
  /** Related entities visited, in conditions, includes and orders together. */
  relations: 8,
  orders: 8,
  offset: 1_000_000,
} as const;

/** Counts what a query holds; throws `InvalidQueryError` past a cap. */
export class QueryBudget {
  private conditions = 0;
  private relations = 0;

  condition(where: string): void {
    if (++this.conditions > QUERY_CAPS.conditions) {
      throw new InvalidQueryError(where, `is one too many: a query has at most ${QUERY_CAPS.conditions} conditions.`);
    }
  }

  relation(where: string): void {
    if (++this.relations > QUERY_CAPS.relations) {
      throw new InvalidQueryError(where, `is one too many: a query visits at most ${QUERY_CAPS.relations} relations.`);
    }
  }

  depth(depth: number, where: string): void {
    if (depth > QUERY_CAPS.depth) {
      throw new InvalidQueryError(where, `is nested too deeply: at most ${QUERY_CAPS.depth} levels.`);
    }
  }
}

/** A plain object, as JSON gives it. */
export type Plain = Readonly<Record<string, unknown>>;

/** Whether the value is a plain object. */
export function isPlain(value: unknown): value is Plain {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** The value as a plain object, or `InvalidQueryError`. */
export function plain(value: unknown, where: string): Plain {
  if (isPlain(value)) return value;
  throw new InvalidQueryError(where, `must be an object, not ${describeValue(value)}.`);
}

/** Throws `InvalidQueryError` for a key that is not among those known. */
export function onlyKeys(value: Plain, known: readonly string[], where: string): void {
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    const near = nearMatches(key, known)[0] ?? known.join(', ');
    throw new InvalidQueryError(where, `has no option ${describeValue(key)}. Did you mean ${near}?`);
  }
}

/** The value as an array of names, or `InvalidQueryError`. */
export function nameList(value: unknown, where: string): readonly string[] {
  if (Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string'))
    return value as string[];
  throw new InvalidQueryError(where, `must be an array of field names, not ${describeValue(value)}.`);
}

/** A whole number from 0 to `most`, or `InvalidQueryError`; `undefined` stays. */
export function count(value: unknown, most: number, where: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most) return value;
  throw new InvalidQueryError(where, `must be a whole number from 0 to ${most}, not ${describeValue(value)}.`);
}
