import type { DataSource, QueryRunner } from 'typeorm';
import { announceStatement } from './query-guard.js';
import { dataSourceOf, writeBuildersOf, type WriteBuilder } from './write-builder.js';

/** Makes a RETURNING clause out of what TypeORM asks for. */
type Returning = (asked: string) => string;

const returnings = new WeakMap<WriteBuilder, Returning>();

/** Builders whose statement is run under watch right now, whether or not a script listens. */
const watched = new WeakSet<WriteBuilder>();

/** Runs a builder's statement; the guard against uncaptured writes lets it pass. */
export async function underWatch<T>(builder: WriteBuilder, statement: () => Promise<T>): Promise<T> {
  watched.add(builder);
  try {
    return await statement();
  } finally {
    watched.delete(builder);
  }
}

/** Runs a builder's statement with another RETURNING clause. */
export async function withReturning<T>(
  builder: WriteBuilder,
  returning: Returning,
  statement: () => Promise<T>,
): Promise<T> {
  returnings.set(builder, returning);
  try {
    return await statement();
  } finally {
    returnings.delete(builder);
  }
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
    prototype.getQueryAndParameters = function (this: WriteBuilder) {
      const query = getQueryAndParameters.call(this);
      if (watched.has(this)) announceStatement(query[0]);
      return query;
    };
    prototype.createReturningExpression = function (this: WriteBuilder, type: string) {
      const asked = createReturningExpression.call(this, type);
      return returnings.get(this)?.(asked) ?? asked;
    };
  }
}
