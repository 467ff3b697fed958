import type { EntityMetadata, ObjectLiteral } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { JsonRecord } from '../../protocol/change.js';
import type { EntityEntry, Field } from '../../scripts/entity-catalog.js';
import { setPath, toWire, wireOfRaw } from '../../scripts/record-codec.js';

/** An identifier of the metadata, quoted. Only names that come from TypeORM's metadata ever get here. */
export function quoted(metadata: EntityMetadata, name: string): string {
  return metadata.dataSource.driver.escape(name);
}

/** The table of an entity, quoted, with its schema where it names one. */
export function tableOf(metadata: EntityMetadata): string {
  return metadata.tablePath
    .split('.')
    .map((part) => quoted(metadata, part))
    .join('.');
}

/** A column, quoted, behind an alias where there is one. */
export function columnOf(column: ColumnMetadata, alias?: string): string {
  const name = quoted(column.entityMetadata, column.databaseName);
  return alias ? `${alias}.${name}` : name;
}

/**
 * The select list of fields; each comes back as `<prefix><position>`.
 * Dates are read as text, because the driver turns them into midnights of the process's time zone.
 */
export function selectList(fields: readonly Field[], alias: string | undefined, prefix: string): string {
  return fields.map((field, at) => `${readable(field, alias)} as "${prefix}${at}"`).join(', ');
}

function readable(field: Field, alias: string | undefined): string {
  const column = columnOf(field.column, alias);
  return field.kind === 'date' && !field.column.isArray ? `${column}::text` : column;
}

/** The record in a row that was read with `selectList` of the same fields and prefix; only those `wanted`. */
export function recordIn(
  fields: readonly Field[],
  row: ObjectLiteral,
  prefix: string,
  wanted?: (field: Field) => boolean,
): JsonRecord {
  const record: JsonRecord = {};
  for (let at = 0; at < fields.length; at++) {
    const field = fields[at] as Field;
    if (wanted && !wanted(field)) continue;
    setPath(record, field.name, wireValue(field, row[prefix + at]));
  }
  return record;
}

/** A value as the driver gives it, as scripts see it; column transformers are applied. */
export function wireValue(field: Field, raw: unknown): unknown {
  return hydrates(field) ? wireOfRaw(field, raw) : toWire(field, raw);
}

const hydration = new WeakMap<Field, boolean>();
const PACKED_TYPES = new Set(['simple-array', 'simple-json', 'hstore', 'vector', 'halfvec', 'cube']);

function hydrates(field: Field): boolean {
  let answer = hydration.get(field);
  if (answer === undefined) {
    answer =
      field.column.transformer !== undefined || PACKED_TYPES.has(String(field.column.type)) || isEnumArray(field);
    hydration.set(field, answer);
  }
  return answer;
}

function isEnumArray(field: Field): boolean {
  return field.column.isArray && field.column.type === 'enum';
}

/** Conditions that hold for every row scripts can see: not softly deleted, and of the right kind in a shared table. */
export function rowConditions(entry: EntityEntry, alias: string, param: (value: unknown) => string): string[] {
  const { deleteDateColumn, discriminatorColumn, childEntityMetadatas, discriminatorValue, tableType } = entry.metadata;
  const conditions: string[] = [];
  if (deleteDateColumn) conditions.push(`${columnOf(deleteDateColumn, alias)} is null`);
  if (discriminatorColumn && tableType === 'entity-child') {
    const values = [discriminatorValue, ...childEntityMetadatas.map((child) => child.discriminatorValue)];
    conditions.push(`${columnOf(discriminatorColumn, alias)} = any(${param(values)})`);
  }
  return conditions;
}
