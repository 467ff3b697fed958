import { RecordNotFoundError, VersionConflictError } from '../../errors/bridge.errors.js';
import type { Change, JsonRecord } from '../../protocol/change.js';
import type { EntityEntry, Field } from '../../scripts/entity-catalog.js';
import { fieldValue, recordIdOf } from '../../scripts/record-codec.js';
import type { SqlResult, SqlStatement } from '../../tenancy/tenancy.js';
import { recordIn } from './table.js';
import { existsStatement, writeWithImages } from './write-sql.js';
import type { Write, WriteOutcome } from './write.js';

type Send = (statement: SqlStatement) => Promise<SqlResult>;
type Row = Record<string, unknown>;

/**
 * Applies one write and says what it did. Throws `RecordNotFoundError` for an update of nothing and
 * `VersionConflictError` where `expectedVersion` did not match; a delete of nothing affects 0 rows.
 */
export async function applyWrite(send: Send, write: Write): Promise<WriteOutcome> {
  const { rows } = await send(writeWithImages(write));
  return rows[0] ? outcomeOf(write, rows[0]) : await outcomeOfNone(send, write);
}

async function outcomeOfNone(send: Send, write: Write): Promise<WriteOutcome> {
  const { op, entry, id, expectedVersion } = write;
  const exists = expectedVersion !== undefined && (await send(existsStatement(write))).rows.length > 0;
  if (exists) throw new VersionConflictError(entry.name, id, expectedVersion);
  if (op !== 'delete') throw new RecordNotFoundError(entry.name, id);
  return { result: { op, entity: entry.name, id, affected: 0, record: null }, change: undefined };
}

function outcomeOf({ op, entry }: Write, row: Row): WriteOutcome {
  const after = recordIn(entry.fields, row, 'a', (field) => field.readable);
  const change = changeOf(op, entry, row);
  const result = {
    op,
    entity: entry.name,
    id: entry.primary.length === 1 ? fieldValue(after, (entry.primary[0] as Field).name) : recordIdOf(entry, after),
    affected: 1,
    record: op === 'delete' ? null : after,
  };
  return { result, change };
}

/** The same images that capture makes of the application's writes. */
function changeOf(op: Write['op'], entry: EntityEntry, row: Row): Change | undefined {
  const before = op === 'create' ? {} : imageOf(entry, row, 'b');
  const after = op === 'delete' && !entry.metadata.deleteDateColumn ? before : imageOf(entry, row, 'a');
  const changed = changedNames(op, before, after);
  if (op === 'update' && changed.length === 0) return undefined;
  return {
    entity: entry.name,
    operation: op,
    recordId: recordIdOf(entry, after),
    record: after,
    prevRecord: before,
    changed,
  };
}

/** Every field but those that TypeORM does not load by itself (`select: false`); `id` is always set. */
function imageOf(entry: EntityEntry, row: Row, prefix: string): JsonRecord {
  const record = recordIn(entry.fields, row, prefix, ({ column }) => column.isSelect || column.isPrimary);
  record['id'] ??= recordIdOf(entry, record);
  return record;
}

function changedNames(op: Write['op'], before: JsonRecord, after: JsonRecord): string[] {
  if (op === 'delete') return [];
  const names = Object.keys(after);
  if (op === 'create') return names.filter((name) => after[name] !== null);
  return names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
}
