import { Logger } from '@nestjs/common';
import { getMetadataArgsStorage, type DataSource } from 'typeorm';
import {
  DuplicateTriggerNameError,
  TriggerOnNonEntityError,
  UnwatchableDriverError,
  WatchedEntityWithoutKeyError,
} from '../../errors/capture.errors.js';
import { triggerOptionsOf, triggerTargets } from '../../scripts/script-trigger.decorator.js';
import type { WatchedEntity } from './watched-entity.js';

const logger = new Logger('SandboxModule');
/** A warning is about the host's code, not about a tenant: one each, however many tenants share the entities. */
const given = new Set<string>();

/** Entity classes of every DataSource seen so far. */
const entityClasses = new WeakSet<Function>();

/**
 * Refuses a class with `@ScriptTrigger` that is no entity: of this DataSource or one before it, nor declared with
 * `@Entity()` for another to come. A base class counts through the entities that extend it.
 */
export function assertTriggersAreEntities(dataSource: DataSource): void {
  const declared = getMetadataArgsStorage().tables.map(({ target }) => target);
  for (const { target } of dataSource.entityMetadatas) if (typeof target === 'function') entityClasses.add(target);
  for (const trigger of triggerTargets()) {
    const candidates = [...declared, ...dataSource.entityMetadatas.map(({ target }) => target)];
    const isEntity = (target: unknown) =>
      target === trigger || (typeof target === 'function' && target.prototype instanceof trigger);
    if (!entityClasses.has(trigger) && !candidates.some(isEntity)) throw new TriggerOnNonEntityError(trigger.name);
  }
}

/** Refuses entities that cannot be watched, and warns of writes that will not be seen. */
export function lintDataSource(dataSource: DataSource, entities: readonly WatchedEntity[]): void {
  if (entities.length === 0) return;
  const driver = dataSource.options.type;
  if (driver !== 'postgres') throw new UnwatchableDriverError(entities[0]?.entry.metadata.name ?? '', driver);
  for (const { entry } of entities) {
    if (entry.primary.length === 0) throw new WatchedEntityWithoutKeyError(entry.metadata.name);
  }
  assertNamesDiffer(dataSource);
  for (const warning of entities.flatMap(warningsFor)) warnOnce(warning);
}

function assertNamesDiffer(dataSource: DataSource): void {
  const byName = new Map<string, string>();
  for (const metadata of dataSource.entityMetadatas) {
    // the children of a single table share their parent's rows, and by inheritance its @ScriptTrigger
    if (metadata.tableType === 'entity-child') continue;
    const options = typeof metadata.target === 'function' ? triggerOptionsOf(metadata.target) : undefined;
    if (!options) continue;
    const name = options.name ?? metadata.name.charAt(0).toLowerCase() + metadata.name.slice(1);
    const other = byName.get(name);
    if (other !== undefined) throw new DuplicateTriggerNameError(name, [other, metadata.name]);
    byName.set(name, metadata.name);
  }
}

function warningsFor({ name, entry }: WatchedEntity): string[] {
  const { metadata } = entry;
  const cascades = metadata.relations
    .filter(({ onDelete, isOwning }) => isOwning && (onDelete === 'CASCADE' || onDelete === 'SET NULL'))
    .map(
      (relation) =>
        `Entity ${metadata.name} (${name}): the database itself changes its rows when a ${relation.inverseEntityMetadata.name} is deleted (onDelete: '${relation.onDelete}' on "${relation.propertyName}"); that fires no script. Delete them through TypeORM before, or use cascade: ['remove'].`,
    );
  const tree =
    metadata.treeType === 'nested-set' || metadata.treeType === 'closure-table'
      ? [
          `Entity ${metadata.name} (${name}) is a ${metadata.treeType} tree: TypeORM moves other nodes with SQL of its own; that fires no script. Let scripts rely on the parent's id only.`,
        ]
      : [];
  const child =
    metadata.tableType === 'entity-child'
      ? [
          `Entity ${metadata.name} (${name}) shares its parent's table: update() and delete() through the parent's repository count as writes of the parent. Use the repository of ${metadata.name}, or put @ScriptTrigger on the parent.`,
        ]
      : [];
  return [...cascades, ...tree, ...child];
}

function warnOnce(warning: string): void {
  if (given.has(warning)) return;
  given.add(warning);
  logger.warn(warning);
}
