import type { QueryRunner } from 'typeorm';

/** Something that remembers what a QueryRunner's transaction did; it has to forget what a savepoint undoes. */
export interface TransactionMemory {
  /** Takes note of where the transaction stands; returns the way back there. */
  mark(runner: QueryRunner): () => void;
}

const memories = new Set<TransactionMemory>();

/** Lets `markTransaction` know of a memory. */
export function registerMemory(memory: TransactionMemory): void {
  memories.add(memory);
}

/**
 * For savepoints that TypeORM knows nothing of, because they are set with SQL of our own: call it when one is set, and
 * what it returns after rolling back to it.
 */
export function markTransaction(runner: QueryRunner): () => void {
  const ways = [...memories].map((memory) => memory.mark(runner));
  return () => ways.forEach((back) => back());
}
