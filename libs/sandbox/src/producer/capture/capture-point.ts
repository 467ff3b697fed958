import type { DataSource } from 'typeorm';
import { WriteWithoutTenantError } from '../../errors/capture.errors.js';
import type { SandboxEvents } from '../../events/sandbox-events.js';
import type { Change } from '../../protocol/change.js';
import type { ChangeOrigin } from '../../scripts/plan-actions.js';
import { EntityCatalog } from '../../scripts/entity-catalog.js';
import type { ScriptRegistry, TriggerIndex } from '../../scripts/script-registry.js';
import { SandboxContext } from '../../tenancy/sandbox-context.js';
import type { Tenancy } from '../../tenancy/tenancy.js';
import { CapturedWrite, kindOf } from './captured-write.js';
import type { ChangeBuffers } from './change-buffer.js';
import { QueryGuard } from './query-guard.js';
import { inTransaction, runStatement } from './run-statement.js';
import { SideConnection } from './side-connection.js';
import { WatchedEntity } from './watched-entity.js';
import type { WriteBuilder } from './write-builder.js';

/** What a capture point needs besides its DataSource. */
export interface CapturePorts {
  readonly tenancy: Tenancy;
  readonly registry: ScriptRegistry;
  readonly buffers: ChangeBuffers;
  readonly events: SandboxEvents;
}

/** One DataSource under watch. */
export class CapturePoint {
  private readonly watched = new Map<unknown, WatchedEntity>();
  private readonly side: SideConnection;

  constructor(
    readonly dataSource: DataSource,
    private readonly ports: CapturePorts,
  ) {
    this.side = new SideConnection(dataSource);
    for (const entry of EntityCatalog.of(dataSource).entries()) {
      if (entry.trigger) this.watched.set(entry.metadata, new WatchedEntity(entry));
    }
  }

  /** The entities whose writes can fire scripts. */
  entities(): readonly WatchedEntity[] {
    return [...this.watched.values()];
  }

  /** The watched entity that a builder writes. */
  find(builder: WriteBuilder): WatchedEntity | undefined {
    const alias = builder.expressionMap.mainAlias;
    return alias?.hasMetadata ? this.watched.get(alias.metadata) : undefined;
  }

  /**
   * Runs a builder's statement. Where a script listens: in a transaction, with the statement made to return the rows it
   * wrote, which are kept until the commit. Where none does: as it is, without a further statement.
   */
  run<T extends { raw: unknown }>(
    builder: WriteBuilder,
    entity: WatchedEntity,
    statement: () => Promise<T>,
  ): Promise<T> {
    const kind = kindOf(builder);
    if (!kind) return statement();
    const tenantId = this.tenantOf(entity);
    const index = this.ports.registry.cached(tenantId);
    if (index) return this.runHeard(index, new CapturedWrite(builder, entity, kind), statement);
    return this.load(tenantId).then((loaded) =>
      this.runHeard(loaded, new CapturedWrite(builder, entity, kind), statement),
    );
  }

  private runHeard<T extends { raw: unknown }>(
    index: TriggerIndex,
    write: CapturedWrite,
    statement: () => Promise<T>,
  ): Promise<T> {
    const { builder, entity } = write;
    const heard = write.operations.filter(
      (operation) => entity.fires(operation) && index.listens(entity.name, operation),
    );
    if (heard.length === 0) return runStatement(builder, statement);
    return inTransaction(builder, async (runner) => {
      await write.lockRows(runner);
      const result = await runStatement(builder, statement, (asked) => write.returning(asked));
      const changes = write.changes(result).filter(({ operation }) => heard.includes(operation));
      if (changes.length > 0) this.ports.buffers.add(runner, index.tenantId, changes.map(withOrigin(index)));
      return result;
    });
  }

  /** Reports writes of watched tables that went past the builders, where a script might have listened. */
  guard(): QueryGuard {
    return new QueryGuard(this.entities(), (entity, sql) => {
      const tenantId = this.ports.tenancy.tenantOf(this.dataSource) ?? SandboxContext.current().tenantId;
      const index = tenantId === undefined ? undefined : this.ports.registry.cached(tenantId);
      if (index?.listens(entity.name) !== false) this.ports.events.emit('capture.missed', { tenantId, sql });
    });
  }

  /** The tenant that a write belongs to. */
  private tenantOf(entity: WatchedEntity): string {
    const tenantId = this.ports.tenancy.tenantOf(this.dataSource) ?? SandboxContext.current().tenantId;
    if (tenantId === undefined) throw new WriteWithoutTenantError(entity.name);
    return tenantId;
  }

  private load(tenantId: string): Promise<TriggerIndex> {
    return this.ports.registry.load(this.side.lease(tenantId));
  }
}

function withOrigin(
  index: TriggerIndex,
): (change: Change) => { change: Change; origin: ChangeOrigin; index: TriggerIndex } {
  const { userId = null, chain } = SandboxContext.current();
  const origin: ChangeOrigin = chain
    ? { userId, origin: 'script', depth: chain.depth + 1, parentId: chain.actionId }
    : { userId, origin: 'app', depth: 0, parentId: null };
  return (change) => ({ change, origin, index });
}
