import type { EntityMetadata } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { InvalidQueryError, UnknownFieldError } from '../../../errors/bridge.errors.js';
import { EntityCatalog, type EntityEntry } from '../../../scripts/entity-catalog.js';
import { grants } from '../access.js';
import { nearMatches } from '../near-matches.js';

/** Columns that are equal where two rows belong together. */
export interface KeyPair {
  readonly from: ColumnMetadata;
  readonly to: ColumnMetadata;
}

/** How rows of one entity belong to rows of another: directly, or by way of a junction table. */
export interface RelationLink {
  readonly target: EntityEntry;
  readonly many: boolean;
  /** From the source to the target, or to the junction. */
  readonly pairs: readonly KeyPair[];
  readonly junction?: { readonly metadata: EntityMetadata; readonly pairs: readonly KeyPair[] };
}

/** The relation of that name to an entity that scripts may read; `undefined` where there is none. */
export function relationLink(entry: EntityEntry, name: string): RelationLink | undefined {
  const relation = relationsOf(entry).find((each) => each.propertyPath === name);
  const target = relation && readableTarget(entry, relation);
  if (!relation || !target) return undefined;
  const many = relation.isOneToMany || relation.isManyToMany;
  if (relation.isManyToMany) return { target, many, ...junctionOf(relation) };
  return { target, many, pairs: directPairs(relation) };
}

/** The relation of that name, or an error that says what was looked for. */
export function relationOrThrow(entry: EntityEntry, name: string, where: string): RelationLink {
  const link = relationLink(entry, name);
  if (link) return link;
  if (entry.fieldsByName.get(name)?.readable) throw new InvalidQueryError(where, `is a field, not a relation.`);
  throw new UnknownFieldError(entry.name, name, 'read', nearMatches(name, readableRelations(entry)));
}

/** Names of the relations whose other side scripts may read. */
export function readableRelations(entry: EntityEntry): string[] {
  return relationsOf(entry).flatMap((relation) => (readableTarget(entry, relation) ? [relation.propertyPath] : []));
}

function relationsOf(entry: EntityEntry): readonly RelationMetadata[] {
  return entry.metadata.relations;
}

function readableTarget(entry: EntityEntry, relation: RelationMetadata): EntityEntry | undefined {
  const target = EntityCatalog.of(entry.metadata.dataSource).find(relation.inverseEntityMetadata);
  return target && grants(target, 'read') ? target : undefined;
}

function directPairs(relation: RelationMetadata): KeyPair[] {
  if (relation.isManyToOne || relation.isOneToOneOwner) {
    return relation.joinColumns.map((from) => ({ from, to: from.referencedColumn as ColumnMetadata }));
  }
  const owner = relation.inverseRelation as RelationMetadata;
  return owner.joinColumns.map((to) => ({ from: to.referencedColumn as ColumnMetadata, to }));
}

function junctionOf(relation: RelationMetadata): Pick<RelationLink, 'pairs' | 'junction'> {
  const owner = relation.isManyToManyOwner ? relation : (relation.inverseRelation as RelationMetadata);
  const own = relation.isManyToManyOwner ? owner.joinColumns : owner.inverseJoinColumns;
  const other = relation.isManyToManyOwner ? owner.inverseJoinColumns : owner.joinColumns;
  return {
    pairs: own.map((to) => ({ from: to.referencedColumn as ColumnMetadata, to })),
    junction: {
      metadata: owner.junctionEntityMetadata as EntityMetadata,
      pairs: other.map((from) => ({ from, to: from.referencedColumn as ColumnMetadata })),
    },
  };
}
