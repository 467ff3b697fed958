import { InvalidScriptError } from '../errors/script.errors.js';
import { describeValue } from '../errors/sandbox-error.js';
import { nearest } from '../sandbox.options.checks.js';
import type { EntityEntry, Field } from './entity-catalog.js';
import type { TriggerCondition } from './script.js';
import { isLogical, isNested, isOperator, isPlainObject, type Operator, OPERATORS } from './trigger-condition.js';

/** A condition is tested in the writer's process, for every change: it stays small. */
const MOST_CLAUSES = 100;
const MOST_DEPTH = 8;
const MOST_LIST = 1_000;
const MOST_TEXT = 1_000;

interface Check {
  readonly entry: EntityEntry;
  clauses: number;
}

/** Returns the condition if it makes sense for the entity; throws `InvalidScriptError`, which names the place. */
export function checkCondition(value: unknown, entry: EntityEntry): TriggerCondition | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isPlainObject(value)) refuse('when', 'an object with changed, record or prevRecord', value);
  const condition = value as Record<string, unknown>;
  for (const key of Object.keys(condition)) {
    if (!['changed', 'record', 'prevRecord'].includes(key))
      throw new InvalidScriptError(
        `when.${key}`,
        'is not part of a condition: use changed, record and prevRecord',
        key,
      );
  }
  if (condition.changed !== undefined) checkChanged(condition.changed, entry);
  const check: Check = { entry, clauses: 0 };
  for (const image of ['record', 'prevRecord'])
    if (condition[image] !== undefined) checkWhere(check, `when.${image}`, condition[image], '', 0);
  return condition as TriggerCondition;
}

function refuse(path: string, expected: string, value: unknown): never {
  throw new InvalidScriptError(path, `expected ${expected}, got ${describeValue(value)}`, value);
}

function checkChanged(value: unknown, entry: EntityEntry): void {
  if (!Array.isArray(value) || value.length === 0) refuse('when.changed', 'an array of property names', value);
  for (const name of value as unknown[]) {
    const known = entry.fields.some((field) => field.name === name || field.name.startsWith(`${String(name)}.`));
    if (typeof name !== 'string' || !known) unknownField('when.changed', name, entry);
  }
}

function unknownField(path: string, name: unknown, entry: EntityEntry): never {
  const names = entry.fields.map((field) => field.name);
  const near = typeof name === 'string' ? nearest(name, names) : undefined;
  const hint = near ? `; did you mean "${near}"?` : '.';
  throw new InvalidScriptError(
    path,
    `${entry.name} has no ${describeValue(name)}${hint} It has ${names.join(', ')}`,
    name,
  );
}

function checkWhere(check: Check, path: string, where: unknown, prefix: string, depth: number): void {
  if (!isPlainObject(where)) refuse(path, 'an object', where);
  if (depth > MOST_DEPTH) throw new InvalidScriptError(path, `conditions nest at most ${MOST_DEPTH} deep`);
  for (const [key, value] of Object.entries(where as object)) {
    if (++check.clauses > MOST_CLAUSES) throw new InvalidScriptError('when', `has more than ${MOST_CLAUSES} clauses`);
    checkClause(check, `${path}.${key}`, { key, value, prefix, depth });
  }
}

function checkClause(
  check: Check,
  path: string,
  { key, value, prefix, depth }: { key: string; value: unknown; prefix: string; depth: number },
): void {
  if (isLogical(key)) {
    const parts = key !== 'or' && isPlainObject(value) ? [value] : value;
    if (!Array.isArray(parts) || parts.length === 0) refuse(path, 'an array of conditions', value);
    (parts as unknown[]).forEach((where, index) => checkWhere(check, `${path}[${index}]`, where, prefix, depth + 1));
    return;
  }
  const name = prefix + key;
  if (isNested(value, name, check.entry)) return checkWhere(check, path, value, `${name}.`, depth + 1);
  const field = check.entry.fieldsByName.get(name);
  if (!field) unknownField(path, name, check.entry);
  checkField(check, path, value, field as Field);
}

function checkField(check: Check, path: string, value: unknown, field: Field): void {
  if (!isPlainObject(value)) return checkOperand(path, 'eq', value, field);
  const operators = Object.entries(value);
  if (operators.length === 0) refuse(path, `a value or operators (${Object.keys(OPERATORS).join(', ')})`, value);
  for (const [operator, operand] of operators) {
    check.clauses++;
    if (!isOperator(operator)) {
      const near = nearest(operator, Object.keys(OPERATORS));
      const hint = near ? `; did you mean "${near}"?` : '.';
      const known = Object.keys(OPERATORS).join(', ');
      throw new InvalidScriptError(`${path}.${operator}`, `is not an operator${hint} Operators: ${known}`, operator);
    }
    checkOperand(`${path}.${operator}`, operator as Operator, operand, field);
  }
}

function checkOperand(path: string, operator: Operator, operand: unknown, field: Field): void {
  switch (OPERATORS[operator]) {
    case 'boolean':
      if (typeof operand !== 'boolean') refuse(path, 'true or false', operand);
      return;
    case 'text':
      if (field.kind !== 'string') {
        throw new InvalidScriptError(path, `compares texts; ${field.name} is a ${field.kind} column`, operand);
      }
      if (typeof operand !== 'string' || operand.length > MOST_TEXT) {
        refuse(path, `a text of at most ${MOST_TEXT} characters`, operand);
      }
      return;
    case 'list':
    case 'pair':
      return checkOperands(path, operator, operand, field);
    default:
      checkValue(path, operand, field, operator === 'eq' || operator === 'ne');
  }
}

function checkOperands(path: string, operator: Operator, operand: unknown, field: Field): void {
  const pair = OPERATORS[operator] === 'pair';
  const valid = Array.isArray(operand) && (pair ? operand.length === 2 : operand.length > 0);
  if (!valid || (operand as unknown[]).length > MOST_LIST)
    refuse(path, pair ? 'an array of two values' : `an array of 1 to ${MOST_LIST} values`, operand);
  (operand as unknown[]).forEach((item, index) => checkValue(`${path}[${index}]`, item, field, !pair));
}

function checkValue(path: string, value: unknown, field: Field, nullable: boolean): void {
  if (value === null && nullable) return;
  const expected = expectation(field, value);
  if (expected) refuse(path, `${expected} (${field.name} is a ${field.kind} column)`, value);
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)$/;

/** What the field takes, if `value` is not that. */
function expectation(field: Field, value: unknown): string | undefined {
  switch (field.kind) {
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) ? undefined : 'a number';
    case 'decimal':
    case 'bigint': {
      const fits = Number.isFinite(value) || (typeof value === 'string' && value.length <= 400 && NUMBER.test(value));
      return fits ? undefined : 'a number, or a numeric string';
    }
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'true or false';
    case 'datetime':
    case 'date':
      return typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? undefined : 'an ISO date';
    case 'json':
    case 'array':
      return value === undefined ? 'a JSON value' : undefined;
    default:
      return typeof value === 'string' ? undefined : 'a text';
  }
}
