import type {
  EntitySubscriberInterface,
  TransactionCommitEvent,
  TransactionRollbackEvent,
  TransactionStartEvent,
} from 'typeorm';
import type { ChangeBuffers } from './change-buffer.js';
import type { ChangeSink } from './change-sink.js';

/**
 * Follows the transactions of a DataSource. It has no entity hooks: changes come from the statements themselves (see
 * `captured-statement.ts`), and a before hook alone would make TypeORM compute every save's differences twice.
 */
export class TransactionSubscriber implements EntitySubscriberInterface {
  constructor(
    private readonly buffers: ChangeBuffers,
    private readonly sink: ChangeSink,
  ) {}

  afterTransactionStart({ queryRunner }: TransactionStartEvent): void {
    this.buffers.began(queryRunner);
  }

  /** The returned promise makes TypeORM wait, and roll back when it rejects. */
  beforeTransactionCommit({ queryRunner }: TransactionCommitEvent): Promise<void> | undefined {
    const buffer = this.buffers.committing(queryRunner);
    if (!buffer) return undefined;
    return this.sink.write(queryRunner, buffer.tenantId, buffer.changes).then((afterCommit) => {
      buffer.afterCommit = afterCommit;
    });
  }

  /** Nothing in here may throw: the data is committed, yet the writer's promise would reject. */
  afterTransactionCommit({ queryRunner }: TransactionCommitEvent): void {
    this.buffers.committed(queryRunner)?.afterCommit?.();
  }

  afterTransactionRollback({ queryRunner }: TransactionRollbackEvent): void {
    this.buffers.rolledBack(queryRunner);
  }
}
