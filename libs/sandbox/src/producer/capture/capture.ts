import { Inject, Injectable } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { SandboxEvents } from '../../events/sandbox-events.js';
import { SCRIPT_REGISTRY, type ScriptRegistry } from '../../scripts/script-registry.js';
import { TENANCY, type Tenancy } from '../../tenancy/tenancy.js';
import { registerMemory } from '../../tenancy/transaction-marks.js';
import { ChangeBuffers } from './change-buffer.js';
import { CHANGE_SINK, type ChangeSink } from './change-sink.js';
import { CapturePoint } from './capture-point.js';
import { assertTriggersAreEntities, lintDataSource } from './lint.js';
import { patchWriteBuilders, type WriteExecutor } from './run-statement.js';
import { TransactionSubscriber } from './transaction-subscriber.js';
import { dataSourceOf } from './write-builder.js';

/** The DataSources under watch in this process, over all module instances. */
const points = new WeakMap<DataSource, CapturePoint>();

/** One for all module instances, as a QueryRunner belongs to one DataSource, and that to one point. */
const buffers = new ChangeBuffers();
registerMemory(buffers);

const executor: WriteExecutor = (builder, statement) => {
  const point = points.get(dataSourceOf(builder));
  const entity = point?.find(builder);
  if (!point || !entity) return statement();
  try {
    return point.run(builder, entity, statement);
  } catch (error) {
    return Promise.reject(error as Error);
  }
};

/** Puts DataSources under watch: from then on their committed writes of watched entities become actions. */
@Injectable()
export class Capture {
  constructor(
    @Inject(TENANCY) private readonly tenancy: Tenancy,
    @Inject(SCRIPT_REGISTRY) private readonly registry: ScriptRegistry,
    @Inject(CHANGE_SINK) private readonly sink: ChangeSink,
    @Inject(SandboxEvents) private readonly events: SandboxEvents,
  ) {}

  /**
   * Watches an initialised DataSource; a second call does nothing. One without watched entities is left alone.
   * Throws a `SandboxError` for a watched entity that cannot be watched.
   */
  attach(dataSource: DataSource): void {
    if (points.has(dataSource)) return;
    const { tenancy, registry, events } = this;
    const point = new CapturePoint(dataSource, { tenancy, registry, buffers, events });
    assertTriggersAreEntities(dataSource);
    lintDataSource(dataSource, point.entities());
    if (point.entities().length === 0) return;
    patchWriteBuilders(dataSource, executor);
    dataSource.subscribers.push(new TransactionSubscriber(buffers, this.sink), point.guard());
    points.set(dataSource, point);
  }
}
