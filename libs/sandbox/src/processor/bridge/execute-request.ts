import { InvalidExecuteError, InvalidValueError, UnknownFieldError } from '../../errors/bridge.errors.js';
import { describeValue } from '../../errors/sandbox-error.js';
import type { EntityCatalog, EntityEntry, Field, FieldKind } from '../../scripts/entity-catalog.js';
import type { Assignment, Write } from '../effects/write.js';
import { entityFor, unknownField } from './access.js';
import { nearMatches } from './near-matches.js';
import { isPlain, type Plain } from './query/query-shape.js';
import { parameterFor } from './values.js';

/** One request of `context.execute([...])`. */
export type ExecuteRequest =
  | { readonly op: 'create'; readonly entity: string; readonly values: Readonly<Record<string, unknown>> }
  | {
      readonly op: 'update';
      readonly entity: string;
      /** An object with all of its properties for a composite key. */
      readonly id: unknown;
      readonly values?: Readonly<Record<string, unknown>>;
      /** Added in the database; null counts as 0. */
      readonly increment?: Readonly<Record<string, number | string>>;
      readonly expectedVersion?: number;
    }
  | { readonly op: 'delete'; readonly entity: string; readonly id: unknown; readonly expectedVersion?: number };

const KEYS: Readonly<Record<Write['op'], readonly string[]>> = {
  create: ['op', 'entity', 'values'],
  update: ['op', 'entity', 'id', 'values', 'increment', 'expectedVersion'],
  delete: ['op', 'entity', 'id', 'expectedVersion'],
};
const OPS = Object.keys(KEYS);
const INCREMENTABLE: ReadonlySet<FieldKind> = new Set(['number', 'bigint', 'decimal']);

/** Validates the argument of `execute` (an array, or one request) into writes. Throws script-facing errors. */
export function parseWrites(catalog: EntityCatalog, argument: unknown): Write[] {
  const requests = Array.isArray(argument) ? argument : [argument];
  return requests.map((request, at) => parseWrite(catalog, request, `[${at}]`));
}

function parseWrite(catalog: EntityCatalog, request: unknown, path: string): Write {
  if (!isPlain(request)) throw new InvalidExecuteError(path, `must be an object, not ${describeValue(request)}.`);
  const op = operation(request, path);
  for (const key of Object.keys(request)) {
    if (!KEYS[op].includes(key)) throw unknownKey(op, key, path);
  }
  const entry = entityFor(catalog, request.entity, 'write');
  const write = { op, entry, assignments: assignments(entry, op, request.values, `${path}.values`) };
  if (op === 'create') return { ...write, id: '', key: [], increments: [] };
  const increments = incrementsOf(entry, request.increment, `${path}.increment`);
  if (op === 'update') refuseEmptyOrDouble(write.assignments, increments, path);
  const expectedVersion = versionOf(entry, request.expectedVersion, path);
  return {
    ...write,
    ...keyOf(entry, request.id, path),
    increments,
    ...(expectedVersion === undefined ? {} : { expectedVersion }),
  };
}

function operation(request: Plain, path: string): Write['op'] {
  if (typeof request.op === 'string' && OPS.includes(request.op)) return request.op as Write['op'];
  throw new InvalidExecuteError(
    `${path}.op`,
    `must be 'create', 'update' or 'delete', not ${describeValue(request.op)}.`,
  );
}

function unknownKey(op: Write['op'], key: string, path: string): InvalidExecuteError {
  const hint = nearMatches(key, KEYS[op])[0];
  return new InvalidExecuteError(
    path,
    `has a property ${describeValue(key)}, which a request to ${op} does not take. ${hint ? `Did you mean ${hint}?` : `It takes ${KEYS[op].join(', ')}.`}`,
  );
}

function assignments(entry: EntityEntry, op: Write['op'], values: unknown, path: string): Assignment[] {
  if (values === undefined && op !== 'create') return [];
  if (!isPlain(values)) throw new InvalidExecuteError(path, `must be an object, not ${describeValue(values)}.`);
  return flatten(entry, values, '').map(([name, value]) => {
    const field = settable(entry, name, op);
    return { field, value: value === null ? nullFor(field, path) : parameterFor(field, value, `${path}.${name}`) };
  });
}

/** The values by field name; objects of embedded properties taken apart. */
function flatten(entry: EntityEntry, values: Plain, prefix: string): [string, unknown][] {
  return Object.entries(values).flatMap(([key, value]) => {
    const name = prefix + key;
    const embeds =
      isPlain(value) && !entry.fieldsByName.has(name) && entry.fields.some((f) => f.name.startsWith(`${name}.`));
    return embeds ? flatten(entry, value, `${name}.`) : [[name, value] as [string, unknown]];
  });
}

function nullFor(field: Field, path: string): null {
  if (field.column.isNullable) return null;
  throw new InvalidValueError(`${path}.${field.name}`, null, 'a value: the column does not take null');
}

/** A field that scripts may set in that operation. What the library maintains itself is never theirs to set. */
function settable(entry: EntityEntry, name: string, op: Write['op']): Field {
  const field = entry.fieldsByName.get(name);
  if (!field?.writable) throw unknownField(entry, name, 'write');
  const { column } = field;
  const maintained = column.isVersion || column.isCreateDate || column.isUpdateDate || column.isDeleteDate;
  const fixed = op === 'create' ? !column.isInsert : column.isPrimary || !column.isUpdate;
  if (maintained || fixed || column.isDiscriminator || column.generatedType || column.isTreeLevel) {
    throw new UnknownFieldError(entry.name, name, 'write', []);
  }
  return field;
}

function incrementsOf(entry: EntityEntry, increment: unknown, path: string): Assignment[] {
  if (increment === undefined || increment === null) return [];
  if (!isPlain(increment)) throw new InvalidExecuteError(path, `must be an object, not ${describeValue(increment)}.`);
  return flatten(entry, increment, '').map(([name, value]) => {
    const field = settable(entry, name, 'update');
    if (!INCREMENTABLE.has(field.kind) || field.column.transformer) {
      throw new InvalidExecuteError(`${path}.${name}`, `cannot be incremented: the field holds ${field.kind} values.`);
    }
    return { field, value: parameterFor(field, value, `${path}.${name}`) };
  });
}

function refuseEmptyOrDouble(values: readonly Assignment[], increments: readonly Assignment[], path: string): void {
  if (values.length + increments.length === 0) {
    throw new InvalidExecuteError(path, 'changes nothing: give values or increment.');
  }
  const twice = increments.find(({ field }) => values.some((other) => other.field === field));
  if (twice) throw new InvalidExecuteError(path, `both sets and increments ${twice.field.name}.`);
}

function versionOf(entry: EntityEntry, version: unknown, path: string): number | undefined {
  if (version === undefined || version === null) return undefined;
  if (!entry.metadata.versionColumn) {
    throw new InvalidExecuteError(`${path}.expectedVersion`, `cannot be used: ${entry.name} has no version column.`);
  }
  if (typeof version === 'number' && Number.isInteger(version)) return version;
  throw new InvalidExecuteError(`${path}.expectedVersion`, `must be a whole number, not ${describeValue(version)}.`);
}

/** The primary key: one value, or an object (or the values joined with commas, as in `recordId`) for a composite one. */
function keyOf(entry: EntityEntry, id: unknown, path: string): { id: string; key: readonly unknown[] } {
  const given = keyValues(entry, id, path);
  const key = entry.primary.map((field, at) => keyParameter(field, given[at], `${path}.id`));
  return { id: given.join(','), key };
}

function keyValues(entry: EntityEntry, id: unknown, path: string): readonly unknown[] {
  const names = entry.primary.map((field) => field.name);
  if (isPlain(id)) return names.map((name) => id[name]);
  if (names.length === 1) return [id];
  const parts = typeof id === 'string' ? id.split(',') : [];
  if (parts.length === names.length) return parts;
  throw new InvalidExecuteError(`${path}.id`, `must be an object with ${names.join(' and ')}.`);
}

/** Ids travel as text in `recordId`, so the text of a number is good enough for a number column. */
function keyParameter(field: Field, value: unknown, path: string): unknown {
  const number = field.kind === 'number' && typeof value === 'string' && /^-?\d{1,10}$/.test(value);
  return parameterFor(field, number ? Number(value) : value, path);
}
