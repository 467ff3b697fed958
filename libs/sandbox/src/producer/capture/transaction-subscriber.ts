import type {
  QueryRunner,
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

  /** A returned promise makes TypeORM wait, and roll back when it rejects. */
  beforeTransactionCommit({ queryRunner }: TransactionCommitEvent): Promise<void> | undefined {
    const buffer = this.buffers.committing(queryRunner);
    if (!buffer) return undefined;
    buffer.pending = this.sink.write(queryRunner, buffer.tenantId, buffer.changes);
    return buffer.pending?.beforeCommit;
  }

  /** Rejects only where nothing was committed: the writer's promise would reject although the data stays. */
  afterTransactionCommit({ queryRunner }: TransactionCommitEvent): Promise<void> | undefined {
    const pending = this.buffers.committed(queryRunner)?.pending;
    return pending?.committed().catch((error: unknown) => {
      markFailed(queryRunner);
      throw error;
    });
  }

  afterTransactionRollback({ queryRunner }: TransactionRollbackEvent): void {
    this.buffers.rolledBack(queryRunner);
  }
}

/**
 * The COMMIT has rolled back, and TypeORM takes it for a success. Afterwards the runner is as it is after any other COMMIT
 * that failed: still in its transaction, to be rolled back by whoever began it.
 */
function markFailed(queryRunner: QueryRunner): void {
  const runner = queryRunner as { isTransactionActive: boolean; transactionDepth?: number };
  runner.isTransactionActive = true;
  runner.transactionDepth = 1;
}
