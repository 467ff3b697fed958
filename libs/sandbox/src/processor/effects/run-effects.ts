import type { EntityManager } from 'typeorm';
import type { Change } from '../../protocol/change.js';
import type { Limits } from '../../protocol/limits.js';
import { type NewEmail } from '../../records/email.statements.js';
import type { SqlResult, SqlStatement, TenantLease } from '../../tenancy/tenancy.js';
import { applyWrite } from './apply-write.js';
import { RunTransaction } from './run-transaction.js';
import type { Write, WriteResult } from './write.js';

/**
 * Everything one run does to its tenant's database: at most one transaction, opened when it is first needed, and what
 * was done in it. Reads go to the pool until then.
 */
export class RunEffects {
  readonly changes: Change[] = [];
  readonly emails: NewEmail[] = [];
  private current: RunTransaction | undefined;

  constructor(
    readonly lease: TenantLease,
    private readonly limits: Readonly<Limits>,
  ) {}

  /** Whether the transaction has been opened. */
  get interactive(): boolean {
    return this.current !== undefined;
  }

  /** Whether it was open for too long and is rolled back. */
  get expired(): boolean {
    return this.current?.expired ?? false;
  }

  /** TypeORM's manager: of the transaction if it is open, else of the tenant's database. */
  get manager(): EntityManager {
    return this.current?.manager ?? this.lease.dataSource.manager;
  }

  /** Opens the transaction, once. */
  async open(): Promise<RunTransaction> {
    this.current ??= await RunTransaction.begin(this.lease.dataSource, this.limits);
    return this.current;
  }

  /** Sends a read; a failing one inside the transaction leaves it usable. */
  async read(statement: SqlStatement): Promise<SqlResult> {
    const { current } = this;
    return current ? await current.savepoint(() => current.query(statement)) : await this.lease.sql.query(statement);
  }

  /** Applies writes, all or none. */
  async write(writes: readonly Write[], onRefused: (error: unknown, write: Write) => unknown): Promise<WriteResult[]> {
    const transaction = await this.open();
    return await this.atomic(async () => {
      const results: WriteResult[] = [];
      for (const write of writes) {
        const { result, change } = await applyWrite((statement) => transaction.query(statement), write).catch(
          (error) => {
            throw onRefused(error, write);
          },
        );
        results.push(result);
        if (change) this.changes.push(change);
      }
      return results;
    });
  }

  /** Runs `work` in a savepoint of the transaction; what it did is undone and forgotten when it rejects. */
  async atomic<T>(work: () => Promise<T>): Promise<T> {
    const transaction = await this.open();
    const marks = [this.changes.length, this.emails.length] as const;
    try {
      return await transaction.savepoint(work);
    } catch (error) {
      [this.changes.length, this.emails.length] = marks;
      throw error;
    }
  }

  /** Sends the last statements and commits; resolves to their answers. Rejects with the statement's error after rolling everything back. */
  async commit(last: readonly SqlStatement[]): Promise<readonly unknown[][]> {
    const transaction = await this.open();
    const answers: unknown[][] = [];
    try {
      for (const statement of last) answers.push((await transaction.query(statement)).rows);
    } catch (error) {
      await transaction.rollback();
      throw error;
    }
    await transaction.commit();
    return answers;
  }

  /** Undoes everything. Never rejects. */
  async rollback(): Promise<void> {
    await this.current?.rollback();
  }
}
