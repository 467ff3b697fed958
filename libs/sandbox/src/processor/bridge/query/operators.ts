import { InvalidQueryError } from '../../../errors/bridge.errors.js';
import { describeValue } from '../../../errors/sandbox-error.js';
import type { Field, FieldKind } from '../../../scripts/entity-catalog.js';
import { nearMatches } from '../near-matches.js';
import { parameterFor } from '../values.js';
import { isPlain, QUERY_CAPS } from './query-shape.js';

/** What an operator needs to become SQL. */
interface Operand {
  readonly field: Field;
  readonly column: string;
  readonly value: unknown;
  readonly path: string;
  readonly param: (value: unknown) => string;
}

const UNCOMPARABLE: ReadonlySet<FieldKind> = new Set(['json', 'binary', 'array']);
const UNORDERED: ReadonlySet<FieldKind> = new Set([...UNCOMPARABLE, 'boolean']);

/** The condition on one field as SQL. Throws `InvalidQueryError` and `InvalidValueError`. */
export function fieldCondition(
  field: Field,
  column: string,
  value: unknown,
  path: string,
  param: (value: unknown) => string,
): string {
  if (value === null) return `${column} is null`;
  if (Array.isArray(value)) throw new InvalidQueryError(path, 'is an array: use { in: [...] }.');
  const entries = isPlain(value) ? Object.entries(value) : [['eq', value] as const];
  if (entries.length === 0) throw new InvalidQueryError(path, 'has no operator: give a value, or { gte: ... }.');
  const parts = entries.map(([name, operand]) => {
    const operator = OPERATORS.get(name);
    if (!operator) throw unknownOperator(name, path);
    return operator({ field, column, value: operand, path: `${path}.${name}`, param });
  });
  return parts.length === 1 ? (parts[0] as string) : `(${parts.join(' and ')})`;
}

function unknownOperator(name: string, path: string): InvalidQueryError {
  const near = nearMatches(name, OPERATORS.keys());
  const hint = near.length > 0 ? `Did you mean ${near[0]}?` : `Operators are ${[...OPERATORS.keys()].join(', ')}.`;
  return new InvalidQueryError(path, `has no operator ${describeValue(name)}. ${hint}`);
}

function bound({ field, value, path, param }: Operand): string {
  return param(parameterFor(field, value, path));
}

function refuse(operand: Operand, kinds: ReadonlySet<FieldKind>): void {
  if (!kinds.has(operand.field.kind)) return;
  throw new InvalidQueryError(operand.path, `cannot be used: the field holds ${operand.field.kind} values.`);
}

function equality(operand: Operand): string {
  refuse(operand, UNCOMPARABLE);
  return operand.value === null ? `${operand.column} is null` : `${operand.column} = ${bound(operand)}`;
}

function inequality(operand: Operand): string {
  refuse(operand, UNCOMPARABLE);
  if (operand.value === null) return `${operand.column} is not null`;
  return `${operand.column} is distinct from ${bound(operand)}`;
}

function comparison(sign: string): (operand: Operand) => string {
  return (operand) => {
    refuse(operand, UNORDERED);
    return `${operand.column} ${sign} ${bound(operand)}`;
  };
}

function membership(operand: Operand): string {
  refuse(operand, UNCOMPARABLE);
  const { value, path } = operand;
  if (!Array.isArray(value)) throw new InvalidQueryError(path, `must be an array, not ${describeValue(value)}.`);
  if (value.length > QUERY_CAPS.listLength) {
    throw new InvalidQueryError(path, `holds ${value.length} values; at most ${QUERY_CAPS.listLength} are allowed.`);
  }
  const list = value
    .filter((each) => each !== null)
    .map((each, at) => parameterFor(operand.field, each, `${path}[${at}]`));
  const member = `${operand.column} = any(${operand.param(list)})`;
  return value.includes(null) ? `(${member} or ${operand.column} is null)` : member;
}

function pattern(make: (text: string) => string): (operand: Operand) => string {
  return (operand) => {
    const { field, value, path } = operand;
    if (field.kind !== 'string' || typeof value !== 'string') {
      throw new InvalidQueryError(path, `compares strings; ${field.name} holds ${field.kind} values.`);
    }
    if (value.includes('\u0000')) throw new InvalidQueryError(path, 'must not hold the character U+0000.');
    return `${operand.column} like ${operand.param(make(value))}`;
  };
}

/** Takes the special meaning from `%`, `_` and the escape itself. */
function literal(text: string): string {
  return text.replaceAll(/[\\%_]/g, String.raw`\$&`);
}

/** A pattern whose last character is a lone escape is an error to the database. */
function soundPattern(text: string): string {
  const escapes = /\\*$/.exec(text)?.[0].length ?? 0;
  return escapes % 2 === 1 ? `${text}\\` : text;
}

function between(operand: Operand): string {
  refuse(operand, UNORDERED);
  const { field, column, value, path, param } = operand;
  if (!Array.isArray(value) || value.length !== 2) throw new InvalidQueryError(path, 'must be an array of two values.');
  const [from, to] = value.map((end, at) => param(parameterFor(field, end, `${path}[${at}]`)));
  return `${column} between ${from} and ${to}`;
}

function nullness({ column, value, path }: Operand): string {
  if (typeof value !== 'boolean')
    throw new InvalidQueryError(path, `must be true or false, not ${describeValue(value)}.`);
  return `${column} is ${value ? '' : 'not '}null`;
}

const OPERATORS: ReadonlyMap<string, (operand: Operand) => string> = new Map([
  ['eq', equality],
  ['ne', inequality],
  ['gt', comparison('>')],
  ['gte', comparison('>=')],
  ['lt', comparison('<')],
  ['lte', comparison('<=')],
  ['in', membership],
  ['notIn', (operand) => `(${membership(operand)}) is not true`],
  ['like', pattern(soundPattern)],
  ['startsWith', pattern((text) => `${literal(text)}%`)],
  ['endsWith', pattern((text) => `%${literal(text)}`)],
  ['contains', pattern((text) => `%${literal(text)}%`)],
  ['between', between],
  ['isNull', nullness],
]);
