import type { DataSource, QueryRunner } from 'typeorm';
import { announceStatement } from './query-guard.js';
import { dataSourceOf, writeBuildersOf, type WriteBuilder } from './write-builder.js';

/** Makes a RETURNING clause out of what TypeORM asks for. */
type Returning = (asked: string) => string;

/** Builders about to run their statement under watch, and its RETURNING clause where that is to be another. */
const watched = new WeakMap<WriteBuilder, Returning>();

const asAsked: Returning = (asked) => asked;

/**
 * Runs a builder's statement, with another RETURNING clause if one is given; the guard against uncaptured writes lets it
 * pass. No `async`: with AsyncLocalStorage in use a promise costs microseconds, and most writes have no listener.
 */
export function runStatement<T>(
  builder: WriteBuilder,
  statement: () => Promise<T>,
  returning: Returning = asAsked,
): Promise<T> {
  watched.set(builder, returning);
  return statement();
}

/**
 * Runs `work` in the transaction that the builder's QueryRunner is in, else in one of its own: of all writes, TypeORM
 * opens one only for `save` and `remove`, and an action row must be committed with its change or not at all.
 */
export async function inTransaction<T>(builder: WriteBuilder, work: (runner: QueryRunner) => Promise<T>): Promise<T> {
  const given = builder.queryRunner;
  if (given?.isTransactionActive) return work(given);
  const runner = given ?? dataSourceOf(builder).createQueryRunner('master');
  builder.queryRunner = runner;
  try {
    await runner.startTransaction();
    const result = await work(runner);
    await runner.commitTransaction();
    return result;
  } catch (error) {
    if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
    throw error;
  } finally {
    builder.queryRunner = given;
    if (!given) await runner.release();
  }
}

/** Executes a builder's write in place of TypeORM; `statement` is what TypeORM would have done. */
export type WriteExecutor = (
  builder: WriteBuilder,
  statement: () => Promise<{ raw: unknown }>,
) => Promise<{ raw: unknown }>;

const patched = new WeakSet<WriteBuilder>();

/**
 * Puts `executor` in front of every write that TypeORM makes: `save`, `remove` and their like run through these builders
 * as well, so one place sees them all, listeners switched off or not. Done once per copy of TypeORM in the process; the
 * executor is asked about every DataSource's writes, and knows which of them are under watch.
 */
export function patchWriteBuilders(dataSource: DataSource, executor: WriteExecutor): void {
  for (const prototype of writeBuildersOf(dataSource)) {
    if (patched.has(prototype)) continue;
    patched.add(prototype);
    const { execute, createReturningExpression, getQueryAndParameters } = prototype;
    prototype.execute = function (this: WriteBuilder) {
      return executor(this, () => execute.call(this));
    };
    prototype.createReturningExpression = function (this: WriteBuilder, type: string) {
      const asked = createReturningExpression.call(this, type);
      return watched.get(this)?.(asked) ?? asked;
    };
    // Called once an execution, right before the statement is sent: what was said of it holds no longer.
    prototype.getQueryAndParameters = function (this: WriteBuilder) {
      const query = getQueryAndParameters.call(this);
      if (watched.delete(this)) announceStatement(query[0]);
      return query;
    };
  }
}
