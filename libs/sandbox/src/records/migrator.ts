import { SchemaNotMigratedError } from '../errors/tenant.errors.js';
import { MIGRATIONS, type Migration } from './schema.js';

/** One connection, as the migrator needs it. */
interface MigrationConnection {
  query<Row>(statement: { text: string; values?: readonly unknown[] }): Promise<{ readonly rows: Row[] }>;
}

/** A database whose schema is to be brought up to date. */
export interface MigrationDatabase extends MigrationConnection {
  connect(): Promise<MigrationConnection & { release(broken?: boolean): void }>;
}

/** Any constant does, as long as every version of the library uses the same: the advisory lock of the migrations. */
const LOCK = 7_203_115_206_480_611;

const UNDEFINED_TABLE = '42P01';

/**
 * Creates or updates the library's tables. Costs one statement where they are up to date. Any number of processes may
 * call it at once: an advisory lock lets one of them work. A database that is ahead (a newer version of the library runs
 * beside this one) is left alone.
 */
export async function migrate(
  database: MigrationDatabase,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  if ((await schemaVersion(database)) >= newest(migrations)) return;
  const connection = await database.connect();
  let broken = true;
  try {
    await applyLocked(connection, migrations);
    broken = false;
  } finally {
    connection.release(broken);
  }
}

/** Rejects with `SchemaNotMigratedError` unless the tables are up to date: for `migrate: false`. */
export async function assertMigrated(
  database: MigrationConnection,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  const found = await schemaVersion(database);
  if (found < newest(migrations)) throw new SchemaNotMigratedError(found, newest(migrations));
}

async function schemaVersion(database: MigrationConnection): Promise<number> {
  try {
    const { rows } = await database.query<{ version: number }>({
      text: 'select coalesce(max(id), 0) as version from sandbox_migration',
    });
    return rows[0]?.version ?? 0;
  } catch (error) {
    if ((error as { code?: string }).code === UNDEFINED_TABLE) return 0;
    throw error;
  }
}

/** All in one transaction: whoever fails leaves nothing half done, and a connection that is closed rolls back by itself. */
async function applyLocked(connection: MigrationConnection, migrations: readonly Migration[]): Promise<void> {
  await connection.query({ text: 'begin' });
  await connection.query({ text: 'select pg_advisory_xact_lock($1)', values: [LOCK] });
  await connection.query({
    text: `create table if not exists sandbox_migration (
      id integer primary key, name text not null, applied_at timestamptz not null default now())`,
  });
  const { rows } = await connection.query<{ id: number }>({ text: 'select id from sandbox_migration' });
  const applied = new Set(rows.map((row) => row.id));
  for (const { id, name, sql } of migrations.filter((migration) => !applied.has(migration.id))) {
    await connection.query({ text: sql });
    await connection.query({ text: 'insert into sandbox_migration (id, name) values ($1, $2)', values: [id, name] });
  }
  await connection.query({ text: 'commit' });
}

function newest(migrations: readonly Migration[]): number {
  return Math.max(...migrations.map((migration) => migration.id));
}
