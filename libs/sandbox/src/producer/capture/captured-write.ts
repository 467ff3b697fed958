import type { ObjectLiteral, QueryRunner } from 'typeorm';
import type { Change, JsonRecord, Operation } from '../../protocol/change.js';
import { INSERTED, returnsOld, setNames, type Row, type Version, type WatchedEntity } from './watched-entity.js';
import { dataSourceOf, type WriteBuilder } from './write-builder.js';

/** What a builder does to the rows it meets. */
export type WriteKind = 'insert' | 'upsert' | 'update' | 'delete' | 'remove' | 'restore';

/** What a write of each kind counts as. */
const OPERATIONS: Readonly<Record<WriteKind, readonly Operation[]>> = {
  insert: ['create'],
  upsert: ['create', 'update'],
  update: ['update'],
  delete: ['delete'],
  remove: ['delete'],
  restore: ['create'],
};

/** The statement that a builder is about to run, seen as a source of changes. */
export class CapturedWrite {
  readonly operations: readonly Operation[];
  private readonly old: boolean;
  private readonly before = new Map<string, JsonRecord>();

  constructor(
    readonly builder: WriteBuilder,
    readonly entity: WatchedEntity,
    private readonly kind: WriteKind,
  ) {
    this.operations = OPERATIONS[kind];
    this.old = returnsOld(dataSourceOf(builder));
  }

  /** The statement's RETURNING, so that it says itself what it did: what TypeORM `asked` for, and what we need besides. */
  returning(asked: string): string {
    return this.entity.once(`${this.kind} ${asked}`, () => this.composeReturning(asked));
  }

  private composeReturning(asked: string): string {
    const { entity, builder } = this;
    const have = new Set(asked.split(', '));
    const columns = [asked, entity.columns(builder, this.main, '', have)];
    if (this.old && this.kind !== 'insert' && this.kind !== 'delete')
      columns.push(entity.columns(builder, 'before', 'old.'));
    // A row that this statement inserted has never been locked or updated.
    else if (this.kind === 'upsert') columns.push(`(xmax = 0) "${INSERTED}"`);
    return columns.filter(Boolean).join(', ');
  }

  /** The version that the statement returns under the columns' own names. */
  private get main(): Version {
    return this.kind === 'delete' ? 'before' : 'after';
  }

  /**
   * Before PostgreSQL 18: reads and locks the rows that the statement will meet, so that nobody changes them between
   * this look and the statement. A `with` clause may write, and must not run twice: there the before image is unknown.
   */
  async lockRows(runner: QueryRunner): Promise<void> {
    if (this.old || this.kind === 'insert' || this.kind === 'delete') return;
    const where = this.where();
    if (!where) return;
    const { builder } = this;
    const table = builder.getTableName(builder.getMainTableName());
    const [sql, parameters] = dataSourceOf(builder).driver.escapeQueryWithParameters(
      `SELECT ${this.entity.columns(builder, 'before')} FROM ${table}${where.sql} FOR UPDATE`,
      where.parameters,
    );
    for (const row of (await runner.query(sql, parameters)) as Row[]) {
      const record = this.entity.take(row, 'before', false);
      if (record) this.before.set(this.entity.recordId(record), record);
    }
  }

  /** Which rows the statement will meet; `undefined` where that cannot be asked beforehand. */
  private where(): { sql: string; parameters: ObjectLiteral } | undefined {
    const { builder } = this;
    if (this.kind === 'upsert') return this.entity.conflicting(builder);
    if (builder.expressionMap.commonTableExpressions.length > 0) return undefined;
    const sql = builder.replacePropertyNamesForTheWholeQuery(builder.createWhereExpression());
    return { sql, parameters: builder.getParameters() };
  }

  /** The changes that the statement's rows tell of, one a row; leaves in the result what TypeORM asked for. */
  changes(result: { raw: unknown }): Change[] {
    const rows = Array.isArray(result.raw) ? (result.raw as Row[]) : [];
    const changes: Change[] = [];
    for (const row of rows) {
      const change = this.changeOf(row);
      if (change) changes.push(change);
    }
    if (rows.length > 0) result.raw = this.entity.withoutOurs(rows);
    return changes;
  }

  private changeOf(row: Row): Change | undefined {
    const after = this.main === 'after' ? this.entity.take(row, 'after', true) : undefined;
    const returned = this.entity.take(row, 'before', this.main === 'before');
    const inserted = row[INSERTED] === true;
    const id = this.entity.recordId((after ?? returned) as JsonRecord);
    const before = returned ?? this.before.get(id);
    const compared = this.compare(after, before, inserted || (this.old && before === undefined));
    return compared && { entity: this.entity.name, recordId: id, ...compared };
  }

  private compare(
    after: JsonRecord = {},
    before: JsonRecord | undefined,
    inserted: boolean,
  ): Omit<Change, 'entity' | 'recordId'> | undefined {
    switch (this.kind) {
      case 'insert':
        return created(after);
      case 'upsert':
        return inserted ? created(after) : this.updated(after, before);
      case 'update':
        return this.updated(after, before);
      case 'delete':
        return { operation: 'delete', record: before ?? {}, prevRecord: before ?? {}, changed: [] };
      case 'remove':
        if (before && this.entity.isRemoved(before)) return undefined;
        return { operation: 'delete', record: after, prevRecord: before ?? {}, changed: [] };
      case 'restore':
        return before && !this.entity.isRemoved(before) ? undefined : created(after);
    }
  }

  /** A statement that left a row as it was changed nothing. */
  private updated(after: JsonRecord, before: JsonRecord | undefined): Omit<Change, 'entity' | 'recordId'> | undefined {
    const changed = before ? this.entity.changed(before, after) : setNames(after);
    if (changed.length === 0) return undefined;
    return { operation: 'update', record: after, prevRecord: before ?? {}, changed };
  }
}

function created(record: JsonRecord): Omit<Change, 'entity' | 'recordId'> {
  return { operation: 'create', record, prevRecord: {}, changed: setNames(record) };
}

/** What the builder is about to do. */
export function kindOf(builder: WriteBuilder): WriteKind | undefined {
  const { queryType, onUpdate } = builder.expressionMap;
  switch (queryType) {
    case 'insert':
      return onUpdate ? 'upsert' : 'insert';
    case 'update':
    case 'delete':
    case 'restore':
      return queryType;
    case 'soft-delete':
      return 'remove';
    default:
      return undefined;
  }
}
