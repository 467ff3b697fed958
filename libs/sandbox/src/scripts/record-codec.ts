import type { ObjectLiteral } from 'typeorm';
import type { JsonRecord } from '../protocol/change.js';
import type { EntityEntry, Field } from './entity-catalog.js';

/** One value as scripts see it: dates as ISO strings, bigint and decimal as strings, binary as base64, `undefined` as null. */
export function toWire(field: Field, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  switch (field.kind) {
    case 'datetime':
      return toIso(value);
    case 'date':
      return value instanceof Date ? value.toISOString().slice(0, 10) : String(value as string);
    case 'bigint':
    case 'decimal':
      return String(value as string | number | bigint);
    case 'binary':
      return Buffer.isBuffer(value) || value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
    default:
      return value instanceof Date ? value.toISOString() : value;
  }
}

function toIso(value: unknown): unknown {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  const time = typeof value === 'string' || typeof value === 'number' ? Date.parse(String(value)) : Number.NaN;
  return Number.isNaN(time) ? value : new Date(time).toISOString();
}

/** An entity instance as a record. `fields` defaults to all of the entity's; properties that are `undefined` are left out. */
export function recordOfEntity(
  entry: EntityEntry,
  entity: ObjectLiteral,
  fields: readonly Field[] = entry.fields,
): JsonRecord {
  const record: JsonRecord = {};
  for (const field of fields) {
    const value = field.column.getEntityValue(entity) as unknown;
    if (value !== undefined) setPath(record, field.name, toWire(field, value));
  }
  return record;
}

/**
 * A raw database row (column names, as the driver gives it) as a record: hydrated as TypeORM does it for an entity (a
 * `date` is no longer the driver's local midnight, `simple-json` is parsed, column transformers are applied).
 * `prefix` is what the statement put in front of the column names.
 */
export function recordOfRow(fields: readonly Field[], row: Readonly<Record<string, unknown>>, prefix = ''): JsonRecord {
  const record: JsonRecord = {};
  for (const field of fields) {
    const raw = row[prefix + field.databaseName];
    if (raw !== undefined) setPath(record, field.name, wireOfRaw(field, raw));
  }
  return record;
}

/** One raw value of the driver as scripts see it. */
export function wireOfRaw(field: Field, raw: unknown): unknown {
  const { dataSource } = field.column.entityMetadata;
  return toWire(field, dataSource.driver.prepareHydratedValue(raw, field.column) as unknown);
}

/** The value at a field's path. */
export function fieldValue(record: JsonRecord, name: string): unknown {
  if (!name.includes('.')) return record[name];
  return name.split('.').reduce<unknown>((value, key) => (value as JsonRecord | undefined)?.[key], record);
}

/** Sets the value at a field's path, making the objects on the way. */
export function setPath(record: JsonRecord, name: string, value: unknown): void {
  if (!name.includes('.')) {
    record[name] = value;
    return;
  }
  const keys = name.split('.');
  const last = keys.pop() as string;
  let target = record;
  for (const key of keys) target = (target[key] ??= {}) as JsonRecord;
  target[last] = value;
}

/** The primary key as text: what `recordId` and `record.id` are. Values of a composite key are joined with a comma. */
export function recordIdOf(entry: EntityEntry, record: JsonRecord): string {
  return entry.primary.map((field) => String(fieldValue(record, field.name))).join(',');
}
