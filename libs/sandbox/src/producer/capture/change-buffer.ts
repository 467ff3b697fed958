import type { QueryRunner } from 'typeorm';
import { TransactionOfTwoTenantsError } from '../../errors/capture.errors.js';
import type { TransactionMemory } from '../../tenancy/transaction-marks.js';
import type { CapturedChange, PendingWrite } from './change-sink.js';

/** TypeORM counts its open transactions and savepoints here; protected, the same in 0.3 and 1. */
function depthOf(runner: QueryRunner): number {
  return (runner as unknown as { transactionDepth: number }).transactionDepth;
}

/**
 * What one transaction has changed so far. Held per QueryRunner in a WeakMap and never in `queryRunner.data`, which
 * `save(entity, { data })` replaces for the time of that save.
 */
class ChangeBuffer {
  readonly changes: CapturedChange[] = [];
  /** One mark for each open level, the transaction first: how many changes there were when it began. */
  readonly marks: number[];
  pending: PendingWrite | undefined;

  constructor(
    readonly tenantId: string,
    depth: number,
  ) {
    this.marks = Array.from({ length: depth }, () => 0);
  }
}

/** The open transactions that have changes. A transaction without any costs a look into a WeakMap per hook. */
export class ChangeBuffers implements TransactionMemory {
  private readonly buffers = new WeakMap<QueryRunner, ChangeBuffer>();

  /** Keeps changes until the runner's transaction ends. */
  add(runner: QueryRunner, tenantId: string, changes: readonly CapturedChange[]): void {
    let buffer = this.buffers.get(runner);
    if (!buffer) this.buffers.set(runner, (buffer = new ChangeBuffer(tenantId, depthOf(runner))));
    if (buffer.tenantId !== tenantId) throw new TransactionOfTwoTenantsError(buffer.tenantId, tenantId);
    for (const change of changes) buffer.changes.push(change);
  }

  /** For savepoints that TypeORM does not know of; see `markTransaction`. */
  mark(runner: QueryRunner): () => void {
    const length = this.buffers.get(runner)?.changes.length ?? 0;
    return () => {
      const changes = this.buffers.get(runner)?.changes;
      if (changes && changes.length > length) changes.length = length;
    };
  }

  /** A transaction or savepoint began. */
  began(runner: QueryRunner): void {
    const buffer = this.buffers.get(runner);
    buffer?.marks.push(buffer.changes.length);
  }

  /** What the outermost transaction is about to commit; `undefined` for a savepoint, or where nothing changed. */
  committing(runner: QueryRunner): ChangeBuffer | undefined {
    const buffer = this.buffers.get(runner);
    return buffer && depthOf(runner) === 1 && buffer.changes.length > 0 ? buffer : undefined;
  }

  /** A commit succeeded; returns the buffer when it was the outermost. */
  committed(runner: QueryRunner): ChangeBuffer | undefined {
    const buffer = this.buffers.get(runner);
    if (!buffer) return undefined;
    if (runner.isTransactionActive) {
      buffer.marks.pop();
      return undefined;
    }
    this.buffers.delete(runner);
    return buffer;
  }

  /** A transaction or savepoint was rolled back: what it changed is forgotten. */
  rolledBack(runner: QueryRunner): void {
    const buffer = this.buffers.get(runner);
    if (!buffer) return;
    if (runner.isTransactionActive) buffer.changes.length = buffer.marks.pop() ?? 0;
    else this.buffers.delete(runner);
  }
}
