import { isDeepStrictEqual } from 'node:util';
import type { ObjectLiteral } from 'typeorm';
import { describeValue } from '../errors/sandbox-error.js';
import { InvalidScriptError, DryRunRecordNotFoundError } from '../errors/script.errors.js';
import { OPERATIONS, type Change, type JsonRecord, type Operation } from '../protocol/change.js';
import type { TenantLease } from '../tenancy/tenancy.js';
import type { EntityEntry } from './entity-catalog.js';
import { recordIdOf, recordOfEntity } from './record-codec.js';

/** What a dry run is told about the change it is to pretend. */
export interface PretendedChange {
  /** Default: the first operation the script listens to, else `update`. */
  readonly operation?: Operation;
  /** A record that exists: its columns are what the script sees, those of `record` laid over them. */
  readonly recordId?: string | number;
  readonly record?: JsonRecord;
  readonly prevRecord?: JsonRecord;
}

/** The change that a dry run pretends; of an empty record where none is named. Throws when there is no such record. */
export async function pretendChange(
  lease: TenantLease,
  entry: EntityEntry,
  pretended: PretendedChange,
  on: readonly Operation[],
): Promise<Change> {
  const operation = pretended.operation ?? on[0] ?? 'update';
  if (!OPERATIONS.includes(operation)) {
    const problem = `expected one of ${OPERATIONS.join(', ')}, got ${describeValue(operation)}`;
    throw new InvalidScriptError('operation', problem, operation);
  }
  const { recordId, prevRecord } = pretended;
  const stored = recordId === undefined ? {} : await storedRecord(lease, entry, String(recordId));
  const record = { ...stored, ...pretended.record };
  const before = operation === 'create' ? {} : { ...stored, ...prevRecord };
  const known = entry.primary.every((field) => record[field.name] !== undefined);
  return {
    entity: entry.name,
    operation,
    recordId: recordId === undefined ? (known ? recordIdOf(entry, record) : '') : String(recordId),
    record,
    prevRecord: before,
    changed: operation === 'delete' ? [] : changedNames(entry, record, before),
  };
}

function changedNames(entry: EntityEntry, record: JsonRecord, before: JsonRecord): string[] {
  const names = entry.fields.map((field) => field.name.split('.')[0] as string);
  return [...new Set(names)]
    .filter((name) => (record[name] ?? null) !== null || (before[name] ?? null) !== null)
    .filter((name) => !isDeepStrictEqual(record[name] ?? null, before[name] ?? null));
}

async function storedRecord(lease: TenantLease, entry: EntityEntry, recordId: string): Promise<JsonRecord> {
  const values = recordId.split(',');
  const maps = entry.primary.map((field, index) => field.column.createValueMap(values[index]));
  const where = Object.assign({}, ...maps) as ObjectLiteral;
  const repository = lease.dataSource.getRepository<ObjectLiteral>(entry.metadata.target);
  const entity = await repository
    .findOne({ where, withDeleted: true, loadEagerRelations: false })
    .catch((error: unknown) => {
      if (isUnfitValue(error)) return null;
      throw error;
    });
  if (!entity) throw new DryRunRecordNotFoundError(entry.name, recordId);
  return recordOfEntity(entry, entity);
}

/** `invalid_text_representation` and `numeric_value_out_of_range`: no such id can exist. */
function isUnfitValue(error: unknown): boolean {
  const code = (error as { driverError?: { code?: unknown } } | null)?.driverError?.code;
  return code === '22P02' || code === '22003';
}
