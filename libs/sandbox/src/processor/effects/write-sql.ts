import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { Field } from '../../scripts/entity-catalog.js';
import type { SqlStatement } from '../../tenancy/tenancy.js';
import { Parameters } from './parameters.js';
import { statementNamesOf } from './statement-names.js';
import { columnOf, rowConditions, selectList, tableOf } from './table.js';
import type { Write } from './write.js';

/**
 * The statement of a write that comes back with both images: the fields before as `b<n>`, those after as `a<n>`.
 * The before image is read and locked by the statement itself, so it is the row that the write really changed.
 */
export function writeWithImages(write: Write): SqlStatement {
  const { entry } = write;
  const params = new Parameters();
  if (write.op === 'create') {
    return named(write, `${insertSql(write, params)} returning ${selectList(entry.fields, undefined, 'a')}`, params);
  }
  const table = tableOf(entry.metadata);
  const before = `select ${selectList(entry.fields, 't', 'b')}${keyColumns(write)} from ${table} t where ${rowSql(write, 't', params)} for update`;
  const joined = entry.primary.map((field, at) => `${columnOf(field.column, 't')} = b.k${at}`).join(' and ');
  const verb = removes(write)
    ? `delete from ${table} t using b`
    : `update ${table} t set ${setSql(write, params, 't')} from b`;
  const text = `with b as (${before}) ${verb} where ${joined} returning b.*, ${selectList(entry.fields, 't', 'a')}`;
  return named(write, text, params);
}

/**
 * A write whose outcome nobody looks at: the statement without RETURNING, and what to select from its rows, `w`. An update
 * that matches no row must fail (division by zero): what comes before and behind it is on its way, and none of it may stay.
 */
export function blindSql(
  write: Write,
  params: Parameters,
  lockMs: number,
): { readonly change: string; readonly select: string } {
  const { op, entry } = write;
  if (op === 'create') return { change: insertSql(write, params), select: 'count(*)' };
  const table = tableOf(entry.metadata);
  const verb = removes(write) ? `delete from ${table} t` : `update ${table} t set ${setSql(write, params, 't')}`;
  const change = `${verb} where ${patience(params, lockMs)} and ${rowSql(write, 't', params)}`;
  return { change, select: mustMatch(write) ? '1 / count(*)' : 'count(*)' };
}

/** `blindSql` as a statement of its own. */
export function blindWrite(write: Write, lockMs: number): SqlStatement {
  const params = new Parameters();
  const { change, select } = blindSql(write, params, lockMs);
  if (!mustMatch(write)) return named(write, change, params);
  return named(write, `with w as (${change} returning 1) select ${select} from w`, params);
}

/**
 * Bounds the wait for a row that somebody has locked, from within the statement that waits: evaluated once, before the
 * first row, and gone with the transaction. A SET LOCAL would need a transaction and three statements around it.
 */
function patience(params: Parameters, lockMs: number): string {
  return `(select set_config('lock_timeout', ${params.add(String(lockMs))}, true)) is not null`;
}

/** A delete of nothing is fine, unless the script asked for a version of it. */
function mustMatch({ op, expectedVersion }: Write): boolean {
  return op === 'update' || (op === 'delete' && expectedVersion !== undefined);
}

/** Whether the row goes away, instead of being marked. */
function removes(write: Write): boolean {
  return write.op === 'delete' && !write.entry.metadata.deleteDateColumn;
}

function named(write: Write, text: string, params: Parameters): SqlStatement {
  return statementNamesOf(write.entry.metadata.dataSource).statement(text, params.values);
}

function keyColumns(write: Write): string {
  return write.entry.primary.map((field, at) => `, ${columnOf(field.column, 't')} as k${at}`).join('');
}

/** The one row of the write, if scripts can see it. The version is checked afterwards, to tell a conflict from a loss. */
function rowSql(write: Write, alias: string, params: Parameters): string {
  const key = write.entry.primary.map((field, at) => `${columnOf(field.column, alias)} = ${params.add(write.key[at])}`);
  const version = write.expectedVersion === undefined ? [] : [versionSql(write, alias, params)];
  return [...key, ...rowConditions(write.entry, alias, params.add), ...version].join(' and ');
}

function versionSql(write: Write, alias: string, params: Parameters): string {
  return `${columnOf(write.entry.metadata.versionColumn as ColumnMetadata, alias)} = ${params.add(write.expectedVersion)}`;
}

function insertSql(write: Write, params: Parameters): string {
  const { metadata } = write.entry;
  const columns: [string, string][] = write.assignments.map(({ field, value }) => [
    columnOf(field.column),
    params.add(value),
  ]);
  const given = new Set(write.assignments.map(({ field }) => field.column));
  if (metadata.versionColumn && !given.has(metadata.versionColumn))
    columns.push([columnOf(metadata.versionColumn), '1']);
  if (metadata.discriminatorColumn && metadata.discriminatorValue !== undefined) {
    columns.push([columnOf(metadata.discriminatorColumn), params.add(metadata.discriminatorValue)]);
  }
  if (columns.length === 0) return `insert into ${tableOf(metadata)} default values`;
  const names = columns.map(([name]) => name).join(', ');
  return `insert into ${tableOf(metadata)} (${names}) values (${columns.map(([, value]) => value).join(', ')})`;
}

/** `set`: the script's values, then the dates and the version that TypeORM would maintain. */
function setSql(write: Write, params: Parameters, alias: string): string {
  const { metadata } = write.entry;
  const set = ({ column }: Field, value: string) => `${columnOf(column)} = ${value}`;
  const parts = [
    ...write.assignments.map(({ field, value }) => set(field, params.add(value))),
    ...write.increments.map(({ field, value }) =>
      set(field, `coalesce(${columnOf(field.column, alias)}, 0) + ${params.add(value)}`),
    ),
  ];
  if (write.op === 'delete') parts.push(`${columnOf(metadata.deleteDateColumn as ColumnMetadata)} = now()`);
  if (metadata.updateDateColumn) parts.push(`${columnOf(metadata.updateDateColumn)} = now()`);
  if (metadata.versionColumn) {
    parts.push(`${columnOf(metadata.versionColumn)} = ${columnOf(metadata.versionColumn, alias)} + 1`);
  }
  return parts.join(', ');
}

/** Whether a row of that key exists for scripts: asked where a write matched none, to say why. */
export function existsStatement(write: Write): SqlStatement {
  const params = new Parameters();
  const row = rowSql({ ...write, expectedVersion: undefined }, 't', params);
  return named(write, `select 1 from ${tableOf(write.entry.metadata)} t where ${row}`, params);
}
