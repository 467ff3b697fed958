import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import type { QueryRunner } from 'typeorm';
import { OutboxTableMissingError, OutboxWriteError } from '../../errors/capture.errors.js';
import { SandboxEvents } from '../../events/sandbox-events.js';
import { ACTION_DISPATCHER, type ActionDispatcher } from '../../queue/action-dispatcher.js';
import type { NewAction } from '../../records/action.record.js';
import { insertActions, type InsertedRow } from '../../records/action.statements.js';
import { SANDBOX_OPTIONS, type SandboxOptions } from '../../sandbox.options.js';
import type { Change } from '../../protocol/change.js';
import type { TraceCarrier } from '../../protocol/trace.js';
import { planActions, type ChangeOrigin } from '../../scripts/plan-actions.js';
import type { TriggerIndex } from '../../scripts/script-registry.js';
import { holdWrites } from '../../tenancy/pg-wire.js';
import type { TracedSpan } from '../../tracing/traced-span.js';
import { Tracing } from '../../tracing/tracing.js';

/** A change, who made it, and the scripts in force when it was made. */
interface CapturedChange {
  readonly change: Change;
  readonly origin: ChangeOrigin;
  readonly index: TriggerIndex;
}

/** Action rows on their way; see `PendingWrite` of `producer/capture`. */
interface PendingWrite {
  readonly beforeCommit?: Promise<void>;
  committed(): Promise<void>;
}

const UNDEFINED_TABLE = '42P01';

/** Turns the changes of a transaction into action rows, in that transaction. */
@Injectable()
export class Outbox {
  constructor(
    @Inject(SANDBOX_OPTIONS) private readonly options: SandboxOptions,
    @Inject(ACTION_DISPATCHER) private readonly dispatcher: ActionDispatcher,
    @Inject(SandboxEvents) private readonly events: SandboxEvents,
    @Inject(Tracing) private readonly tracing: Tracing,
  ) {}

  /**
   * Sends the action rows; returns nothing where no script asked for an action. The writer is rolled back when they
   * cannot be written.
   */
  write(runner: QueryRunner, tenantId: string, changes: readonly CapturedChange[]): PendingWrite | undefined {
    const depth = this.options.tenantLimits(tenantId)?.depth ?? this.options.limits.depth;
    const planned = changes.flatMap(({ change, origin, index }) => planActions(index, [change], origin, depth));
    if (planned.length === 0) return undefined;
    const span = this.tracing.start('sandbox capture', 'producer', {
      'sandbox.tenant.id': tenantId,
      'sandbox.actions': planned.length,
    });
    const actions = withTrace(planned, span?.carrier);
    const { written, ahead } = send(runner, tenantId, actions);
    if (span) endWith(span, written);
    const committed = () => written.then((inserted) => this.committed(tenantId, actions, inserted));
    return ahead ? { committed } : { committed, beforeCommit: written.then(() => undefined) };
  }

  private committed(tenantId: string, actions: readonly NewAction[], { parked, seq }: InsertedRow): void {
    const pending = actions.filter(({ status }) => status === 'pending');
    if (!parked) this.dispatcher.dispatch(tenantId, pending, Number(seq));
    this.events.emit('actions.captured', { tenantId, actionIds: actions.map(({ id }) => id) });
    if (parked) this.events.emit('actions.parked', { tenantId, actionIds: pending.map(({ id }) => id) });
    for (const { id, status } of actions) {
      if (status === 'skipped') this.events.emit('action.skipped', { tenantId, actionId: id, reason: 'chainTooDeep' });
    }
  }
}

/** The trace goes with the actions, so that their runs belong to it, whoever runs them and however late. */
function withTrace(actions: readonly NewAction[], trace: TraceCarrier | undefined): readonly NewAction[] {
  return trace ? actions.map((action) => ({ ...action, trace })) : actions;
}

function endWith(span: TracedSpan, written: Promise<unknown>): void {
  written.then(
    () => span.end(),
    (error: unknown) => span.end({}, error),
  );
}

/** A `pg` client; `pipeline` is there from pg 8.23 on. */
type Client = PoolClient & { pipeline?: boolean };

/**
 * Sends the rows on the writer's own connection, past TypeORM's logging and broadcasting, as a prepared statement.
 * Where pg can, the COMMIT is sent right behind it without waiting for the answer (`ahead`), which spares the writer a
 * round trip: PostgreSQL rolls back at the COMMIT of a transaction in which a statement has failed.
 */
function send(
  runner: QueryRunner,
  tenantId: string,
  actions: readonly NewAction[],
): { written: Promise<InsertedRow>; ahead: boolean } {
  const client = (runner as unknown as { databaseConnection: Client }).databaseConnection;
  const ahead = client.pipeline !== undefined;
  if (client.pipeline === false) {
    client.pipeline = true;
    // Only with nothing under way may the client go back to waiting: the answers are told apart by their order.
    client.once('drain', () => (client.pipeline = false));
  }
  // TypeORM's COMMIT follows without anything to wait for, before the next tick: both leave in one write.
  process.nextTick(holdWrites(client));
  const written = client.query<InsertedRow>(insertActions(actions)).then(
    ({ rows: [inserted] }) => {
      if (inserted?.count !== actions.length)
        throw new OutboxWriteError(tenantId, actions.length, inserted?.count ?? 0);
      return inserted;
    },
    (error: { code?: string }) => {
      throw error.code === UNDEFINED_TABLE ? new OutboxTableMissingError(tenantId, error) : error;
    },
  );
  // Somebody else's failure may roll back first; then nobody waits for this.
  written.catch(() => undefined);
  return { written, ahead };
}
