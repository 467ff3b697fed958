import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import type { QueryRunner } from 'typeorm';
import { OutboxTableMissingError, OutboxWriteError } from '../../errors/capture.errors.js';
import { SandboxEvents } from '../../events/sandbox-events.js';
import { ACTION_DISPATCHER, type ActionDispatcher } from '../../queue/action-dispatcher.js';
import type { NewAction } from '../../records/action.record.js';
import { insertActions } from '../../records/action.statements.js';
import { SANDBOX_OPTIONS, type SandboxOptions } from '../../sandbox.options.js';
import type { Change } from '../../protocol/change.js';
import { planActions, type ChangeOrigin } from '../../scripts/plan-actions.js';
import type { TriggerIndex } from '../../scripts/script-registry.js';

/** A change, who made it, and the scripts in force when it was made. */
interface CapturedChange {
  readonly change: Change;
  readonly origin: ChangeOrigin;
  readonly index: TriggerIndex;
}

const UNDEFINED_TABLE = '42P01';

/** Turns the changes of a transaction into action rows, in that transaction. */
@Injectable()
export class Outbox {
  constructor(
    @Inject(SANDBOX_OPTIONS) private readonly options: SandboxOptions,
    @Inject(ACTION_DISPATCHER) private readonly dispatcher: ActionDispatcher,
    @Inject(SandboxEvents) private readonly events: SandboxEvents,
  ) {}

  /**
   * Writes the action rows and resolves to what is to be done after the commit; to nothing where no script asked for an
   * action. Rejects, and so rolls the writer back, when they cannot be written.
   */
  async write(
    runner: QueryRunner,
    tenantId: string,
    changes: readonly CapturedChange[],
  ): Promise<(() => void) | undefined> {
    const depth = this.options.tenantLimits(tenantId)?.depth ?? this.options.limits.depth;
    const actions = changes.flatMap(({ change, origin, index }) => planActions(index, [change], origin, depth));
    if (actions.length === 0) return undefined;
    await insert(runner, tenantId, actions);
    return () => this.committed(tenantId, actions);
  }

  private committed(tenantId: string, actions: readonly NewAction[]): void {
    this.dispatcher.dispatch(
      tenantId,
      actions.filter(({ status }) => status === 'pending'),
    );
    this.events.emit('actions.captured', { tenantId, actionIds: actions.map(({ id }) => id) });
    for (const { id, status } of actions) {
      if (status === 'skipped') this.events.emit('action.skipped', { tenantId, actionId: id, reason: 'chainTooDeep' });
    }
  }
}

/** On the writer's own connection, past TypeORM's logging and broadcasting: a prepared statement, once a connection. */
async function insert(runner: QueryRunner, tenantId: string, actions: readonly NewAction[]): Promise<void> {
  const client = (await runner.connect()) as PoolClient;
  let written: number;
  try {
    written = (await client.query(insertActions(actions))).rowCount ?? 0;
  } catch (error) {
    if ((error as { code?: string }).code === UNDEFINED_TABLE) throw new OutboxTableMissingError(tenantId, error);
    throw error;
  }
  if (written !== actions.length) throw new OutboxWriteError(tenantId, actions.length, written);
}
