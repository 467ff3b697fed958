import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'pg';
import { createDatabase } from '../../../../../test/support/postgres.mjs';
import { until } from '../../../../../test/support/processes.mjs';
import { emailFailedStatement, emailSentStatement, insertEmailsStatement } from '../../records/email.statements.js';
import { MIGRATIONS } from '../../records/schema.js';
import { PgSqlPool } from '../../tenancy/pg-sql-pool.js';
import { MailBatch } from './mail-batch.js';

const server = process.env.TEST_DATABASE_URL as string;
const database = `mail_batch_${randomUUID().slice(0, 8)}`;

describe('a batch of mails', () => {
  let pool: Pool;
  let sql: PgSqlPool;

  beforeAll(async () => {
    pool = new Pool({ connectionString: await createDatabase(server, database) });
    for (const { sql: text } of MIGRATIONS) await pool.query(text);
    sql = new PgSqlPool(pool);
  });
  afterAll(async () => {
    await pool.end();
    const last = new Pool({ connectionString: server });
    await last.query(`drop database if exists "${database}" with (force)`);
    await last.end();
  });
  beforeEach(async () => {
    await pool.query('truncate sandbox_email');
    const mails = [1, 2].map((n) => ({ id: randomUUID(), message: { to: ['a@b.c'] }, messageId: `<${n}@test>` }));
    await sql.query(insertEmailsStatement(null, null, mails));
  });

  const takeable = async () => {
    const batch = await MailBatch.take(sql);
    await batch.end();
    return batch.emails.length;
  };
  const rows = async () => (await pool.query('select status, attempts from sandbox_email order by status')).rows;

  it('is nobody else’s for as long as its process lives, however short the lease', async () => {
    const batch = await MailBatch.take(sql, 150);
    expect(batch.emails).toHaveLength(2);
    await sleep(500); // more than three leases
    expect(await takeable()).toBe(0);
    await batch.end();
  });

  it('is taken by another process once the lease of one that died is over', async () => {
    const dead = await MailBatch.take({ query: async (statement) => sql.query(statement) }, 100);
    clearInterval((dead as unknown as { timer: NodeJS.Timeout }).timer);
    expect(await takeable()).toBe(0);
    await until(async () => (await takeable()) === 2, { timeoutMs: 2_000 });
  });

  it('gives back what was not tried, at once and without counting it', async () => {
    const batch = await MailBatch.take(sql);
    const [first] = batch.emails;
    await batch.settle(first!.id, emailSentStatement(first!.id));
    await batch.end();
    expect(await rows()).toEqual([
      { status: 'pending', attempts: 0 },
      { status: 'sent', attempts: 1 },
    ]);
    expect(await takeable()).toBe(1);
  });

  it('leaves the time of the next attempt of a mail that failed alone', async () => {
    const batch = await MailBatch.take(sql, 60);
    const [first, second] = batch.emails;
    await batch.settle(first!.id, emailFailedStatement(first!.id, 'no', 60_000));
    await sleep(100); // a renewal comes in between
    await batch.settle(second!.id, emailFailedStatement(second!.id, 'no', 60_000));
    await batch.end();
    const { rows: due } = await pool.query(
      `select extract(epoch from next_attempt_at - now()) > 50 as later, attempts from sandbox_email`,
    );
    expect(due).toEqual([
      { later: true, attempts: 1 },
      { later: true, attempts: 1 },
    ]);
  });
});
