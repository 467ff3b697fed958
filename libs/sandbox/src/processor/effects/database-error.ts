import type { EntityMetadata } from 'typeorm';
import { DatabaseRefusalError } from '../../errors/bridge.errors.js';
import type { EntityEntry } from '../../scripts/entity-catalog.js';

/** What an error of a statement means for the run. */
export type DatabaseVerdict =
  /** The data were refused; the script may be told why. */
  | { readonly kind: 'refused'; readonly error: DatabaseRefusalError }
  /** Another transaction came in between; the whole run is repeated. */
  | { readonly kind: 'conflict' }
  /** The database cannot be reached or is in trouble; the run is repeated later. */
  | { readonly kind: 'unavailable' }
  /** Not an error of the database. */
  | { readonly kind: 'other' };

interface PgError {
  readonly code?: string;
  readonly severity?: string;
  readonly column?: string;
  readonly constraint?: string;
  readonly message?: string;
}

/** Reads an error of a statement, also one that TypeORM wrapped. `entry` is what was written, for the names of fields. */
export function judgeDatabaseError(error: unknown, entry?: EntityEntry): DatabaseVerdict {
  const pg = ((error as { driverError?: unknown } | null)?.driverError ?? error ?? {}) as PgError;
  const state =
    typeof pg.code === 'string' && /^[0-9A-Z]{5}$/.test(pg.code) && pg.severity !== undefined ? pg.code : undefined;
  if (state === undefined) return { kind: isConnectionFault(pg) ? 'unavailable' : 'other' };
  if (state === '40001' || state === '40P01') return { kind: 'conflict' };
  // connection, resources, shutdown, system and internal errors; a transaction killed for idling
  if (/^(?:08|53|57P|58|XX|25)/.test(state)) return { kind: 'unavailable' };
  return { kind: 'refused', error: refusal(state, pg, entry) };
}

const CONNECTION_FAULTS =
  /Connection terminated|timeout exceeded when trying to connect|connection error and is not queryable|Client was closed|Query runner already released|Query read timeout|Cannot use a pool after/i;
const SOCKET_FAULTS = /^(?:ECONN\w+|ETIMEDOUT|EPIPE|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/;

function isConnectionFault({ code, message }: PgError): boolean {
  return (code !== undefined && SOCKET_FAULTS.test(code)) || CONNECTION_FAULTS.test(message ?? '');
}

/** Code and what to say for each reason to refuse; `%` is where the field's name goes. */
const REFUSALS: ReadonlyMap<string, readonly [code: string, message: string]> = new Map([
  ['23505', ['SANDBOX_UNIQUE_VIOLATION', 'There is a record with the same % already; it has to be unique.']],
  ['23502', ['SANDBOX_NOT_NULL_VIOLATION', '% has no value, and the column takes no null: give one.']],
  [
    '23503',
    [
      'SANDBOX_FOREIGN_KEY_VIOLATION',
      '% names a record that does not exist, or a record that others still refer to would go away.',
    ],
  ],
  ['23514', ['SANDBOX_CHECK_VIOLATION', 'A value breaks a rule (check constraint) of the table: %.']],
  ['23P01', ['SANDBOX_EXCLUSION_VIOLATION', 'The record collides with another one: %.']],
  ['22003', ['SANDBOX_OUT_OF_RANGE', 'A number is too large for its column.']],
  ['22001', ['SANDBOX_TOO_LONG', 'A text is too long for its column.']],
  ['55P03', ['SANDBOX_LOCK_TIMEOUT', 'Somebody else held the record locked for too long.']],
  ['57014', ['SANDBOX_STATEMENT_TIMEOUT', 'The statement took too long and was given up: ask for less at a time.']],
  ['54001', ['SANDBOX_TOO_COMPLEX', 'The statement is too complex for the database.']],
]);

function refusal(state: string, pg: PgError, entry: EntityEntry | undefined): DatabaseRefusalError {
  const [code, message] = REFUSALS.get(state) ?? [
    state.startsWith('22') ? 'SANDBOX_INVALID_VALUE' : 'SANDBOX_DATABASE_REFUSED',
    state.startsWith('22') ? 'A value does not fit its column.' : 'The database refused it.',
  ];
  return new DatabaseRefusalError(code, message.replace('%', entry ? culprit(pg, entry) : 'a field'));
}

/** The fields an error speaks of, in the script's own names. */
function culprit(pg: PgError, entry: EntityEntry): string {
  const columns = pg.column ? [pg.column] : constraintColumns(pg.constraint, entry.metadata);
  const names = columns.map((column) => entry.fields.find((field) => field.databaseName === column)?.name);
  const known = names.filter((name) => name !== undefined);
  return known.length > 0
    ? `${entry.name}.${known.join(' and ')}`
    : `${entry.name} (constraint ${pg.constraint ?? 'unknown'})`;
}

function constraintColumns(name: string | undefined, metadata: EntityMetadata): string[] {
  const constraint =
    metadata.uniques.find((unique) => unique.name === name) ??
    metadata.indices.find((index) => index.name === name) ??
    metadata.foreignKeys.find((key) => key.name === name);
  if (constraint) return constraint.columns.map((column) => column.databaseName);
  return name === `${metadata.tableName}_pkey` || name?.startsWith('PK_')
    ? metadata.primaryColumns.map((column) => column.databaseName)
    : [];
}
