import type { DataSource, ObjectLiteral } from 'typeorm';
import type { JsonRecord, Operation } from '../../protocol/change.js';
import type { EntityEntry, Field } from '../../scripts/entity-catalog.js';
import { recordIdOf, setPath, wireOfRaw } from '../../scripts/record-codec.js';
import type { WriteBuilder } from './write-builder.js';

/** A row as the driver gives it. */
export type Row = Record<string, unknown>;

/** Which version of a row a statement returns: the one it leaves behind, or (PostgreSQL 18) the one it found. */
export type Version = 'after' | 'before';

const ALIAS: Record<Version, string> = { after: 'sandbox_a', before: 'sandbox_b' };

/** Texts of statements kept per entity. */
const MOST_TEXTS = 100;

/** Name under which an upsert returns whether it inserted the row. */
export const INSERTED = 'sandbox_inserted';

/** An entity whose writes can fire scripts, and how to read its rows out of any statement. */
export class WatchedEntity {
  readonly name: string;
  private readonly fields: readonly Field[];
  private readonly internals: ReadonlySet<string>;
  private readonly aliases: Readonly<Record<Version, readonly string[]>>;
  private readonly ours: ReadonlySet<string>;
  private readonly texts = new Map<string, string>();

  constructor(readonly entry: EntityEntry) {
    this.name = entry.name;
    // `select: false` keeps a column out of what TypeORM loads; it stays out of what scripts are handed, too.
    this.fields = entry.fields.filter(
      ({ column }) => column.isPrimary || (column.isSelect && !column.isVirtualProperty),
    );
    const aliases = (version: Version) => this.fields.map((_, at) => ALIAS[version] + at);
    this.aliases = { after: aliases('after'), before: aliases('before') };
    this.ours = new Set([...this.aliases.after, ...this.aliases.before, INSERTED]);
    const { materializedPathColumn, nestedSetLeftColumn, nestedSetRightColumn } = entry.metadata;
    const internal = [materializedPathColumn, nestedSetLeftColumn, nestedSetRightColumn];
    this.internals = new Set(internal.flatMap((column) => (column ? [column.propertyPath] : [])));
  }

  /** Whether the host lets this operation fire scripts at all. */
  fires(operation: Operation): boolean {
    return this.entry.trigger?.on.includes(operation) ?? false;
  }

  /** A part of a statement that is the same each time. */
  once(key: string, make: () => string): string {
    let text = this.texts.get(key);
    if (text === undefined) {
      // A host may ask for other columns each time.
      if (this.texts.size >= MOST_TEXTS) this.texts.clear();
      this.texts.set(key, (text = make()));
    }
    return text;
  }

  /**
   * The columns of a row, each under a name of ours: TypeORM looks at the names it asked for and passes over these. Left
   * out are those that are `asked` for already, under their own names. No `AS`: TypeORM replaces property names in the
   * text of some statements, and a property may be called `as`.
   */
  columns(builder: WriteBuilder, version: Version, qualifier = '', asked?: ReadonlySet<string>): string {
    const columns = this.fields.flatMap((field, at) => {
      const name = builder.escape(field.databaseName);
      return asked?.has(name) ? [] : [`${qualifier}${name} "${ALIAS[version]}${at}"`];
    });
    return columns.join(', ');
  }

  /**
   * The record in a row, or `undefined` where the statement returned no such version. `own` says that the columns we left
   * out are there under their own names.
   */
  take(row: Row, version: Version, own: boolean): JsonRecord | undefined {
    const record: JsonRecord = {};
    const aliases = this.aliases[version];
    let exists = false;
    for (let at = 0; at < this.fields.length; at++) {
      const field = this.fields[at] as Field;
      let raw = row[aliases[at] as string];
      if (raw === undefined && own) raw = row[field.databaseName];
      if (raw === undefined) continue;
      exists ||= raw !== null && field.column.isPrimary;
      setPath(record, field.name, wireOfRaw(field, raw));
    }
    if (!exists) return undefined;
    if (!('id' in record)) record['id'] = this.recordId(record);
    return record;
  }

  /** The rows with the columns that TypeORM asked for, none where it asked for nothing. A copy: `delete` makes objects slow. */
  withoutOurs(rows: readonly Row[]): Row[] {
    const names = Object.keys(rows[0] as Row).filter((name) => !this.ours.has(name));
    if (names.length === 0) return [];
    return rows.map((row) => {
      const asked: Row = {};
      for (const name of names) asked[name] = row[name];
      return asked;
    });
  }

  /**
   * The rows that an upsert will find there already: those whose conflict columns have the values it was given.
   * `undefined` where a value is not given, but made by an expression or the database.
   */
  conflicting(builder: WriteBuilder): { sql: string; parameters: ObjectLiteral } | undefined {
    const { conflict } = builder.expressionMap.onUpdate ?? {};
    if (!Array.isArray(conflict)) return undefined;
    const columns = this.entry.metadata.columns.filter(({ databaseName }) => conflict.includes(databaseName));
    const parameters: ObjectLiteral = {};
    const tuples = builder.getValueSets().flatMap((values, row) => {
      const given = columns.map((column) => column.getEntityValue(values, true) as unknown);
      if (given.some((value) => value === undefined || value === null || typeof value === 'function')) return [];
      given.forEach((value, at) => (parameters[`sandbox_${row}_${at}`] = value));
      return [`(${given.map((_, at) => `:sandbox_${row}_${at}`).join(', ')})`];
    });
    if (columns.length === 0 || tuples.length === 0) return undefined;
    const names = columns.map(({ databaseName }) => builder.escape(databaseName)).join(', ');
    return { sql: ` WHERE (${names}) IN (${tuples.join(', ')})`, parameters };
  }

  /** The primary key as text. */
  recordId(record: JsonRecord): string {
    return recordIdOf(this.entry, record);
  }

  /** Whether a record is marked as removed. */
  isRemoved(record: JsonRecord): boolean {
    const column = this.entry.metadata.deleteDateColumn;
    return column !== undefined && record[column.propertyName] !== null;
  }

  /** Names of the fields in which two versions differ, but for those in which TypeORM keeps a tree. */
  changed(before: JsonRecord, after: JsonRecord): string[] {
    const names = Object.keys(after).filter((name) => !same(before[name], after[name]));
    return names.every((name) => this.internals.has(name)) ? [] : names;
  }
}

function same(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object') return false;
  return JSON.stringify(left) === JSON.stringify(right);
}

/** Names of the properties that are set. */
export function setNames(record: JsonRecord): string[] {
  return Object.keys(record).filter((name) => record[name] !== null);
}

/** PostgreSQL 18 returns the old version of a row beside the new one; before that it takes a locking SELECT. */
export function returnsOld(dataSource: DataSource): boolean {
  const version = (dataSource.driver as { version?: string }).version;
  return Number.parseInt(version ?? '0', 10) >= 18;
}
