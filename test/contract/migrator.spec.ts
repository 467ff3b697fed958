// The library's tables: made once, however many processes start at once, and left alone when they are up to date.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { assertMigrated, migrate, type MigrationDatabase } from '../../libs/sandbox/src/records/migrator.js';
import { MIGRATIONS } from '../../libs/sandbox/src/records/schema.js';
import { PgSqlPool } from '../../libs/sandbox/src/tenancy/pg-sql-pool.js';
import { createDatabase } from '../support/postgres.mjs';

describe('migrate', () => {
  let pool: pg.Pool;
  let database: MigrationDatabase;
  const statements: string[] = [];

  beforeEach(async () => {
    const name = `migrator_${randomBytes(6).toString('hex')}`;
    pool = new pg.Pool({ connectionString: await createDatabase(process.env['TEST_DATABASE_URL'] as string, name) });
    const sql = new PgSqlPool(pool);
    database = {
      query: <Row>(statement: { text: string; values?: readonly unknown[] }) => {
        statements.push(statement.text);
        return sql.query<Row>(statement);
      },
      connect: () => sql.connect(),
    };
    statements.length = 0;
  });
  afterEach(() => pool.end());

  const applied = async () =>
    (await pool.query<{ id: number }>('select id from sandbox_migration order by id')).rows.map(({ id }) => id);
  const all = MIGRATIONS.map(({ id }) => id);

  it('makes every table, also when ten start at once', async () => {
    await Promise.all(Array.from({ length: 10 }, () => migrate(database)));
    expect(await applied()).toEqual(all);
    await pool.query('select * from sandbox_action');
    expect((await pool.query('select * from sandbox_revision')).rowCount).toBe(1);
  });

  it('costs one statement when there is nothing to do', async () => {
    await migrate(database);
    statements.length = 0;
    await migrate(database);
    expect(statements).toHaveLength(1);
  });

  it('applies only what is new', async () => {
    await migrate(database);
    const next = { id: 1_000, name: 'next', sql: 'create table sandbox_next (n int)' };
    await migrate(database, [...MIGRATIONS, next]);
    expect(await applied()).toEqual([...all, 1_000]);
  });

  it('leaves nothing half done when a step fails, and can be tried again', async () => {
    const broken = { id: 1_000, name: 'broken', sql: 'create table sandbox_half (n int); select nonsense' };
    await expect(migrate(database, [...MIGRATIONS, broken])).rejects.toThrow(/nonsense/);
    await expect(pool.query('select 1 from sandbox_script')).rejects.toMatchObject({ code: '42P01' });
    await migrate(database);
    expect(await applied()).toEqual(all);
  });

  it('leaves a database alone that a newer version of the library has migrated', async () => {
    await migrate(database);
    await pool.query(`insert into sandbox_migration (id, name) values (5000, 'future')`);
    await expect(migrate(database)).resolves.toBeUndefined();
  });

  it('says what is missing where it may not create it', async () => {
    await expect(assertMigrated(database)).rejects.toMatchObject({ code: 'SANDBOX_SCHEMA_NOT_MIGRATED' });
    await migrate(database);
    await expect(assertMigrated(database)).resolves.toBeUndefined();
  });
});
