import { UnknownEntityError, UnknownFieldError } from '../../errors/bridge.errors.js';
import type { EntityCatalog, EntityEntry, Field } from '../../scripts/entity-catalog.js';
import { accessOptionsOf } from '../../scripts/script-access.decorator.js';
import { nearMatches } from './near-matches.js';

/** What a script may do with an entity or a field. */
export type Right = 'read' | 'write';

/** Whether `@ScriptAccess` grants the right on any column of the entity. */
export function grants(entry: EntityEntry, right: Right): boolean {
  const columns = accessOptionsOf(entry.metadata.target as object)?.[right];
  return columns === true || (columns?.length ?? 0) > 0;
}

/** The entity of that name, if scripts have the right on it. Throws `UnknownEntityError`. */
export function entityFor(catalog: EntityCatalog, name: unknown, right: Right): EntityEntry {
  const entry = typeof name === 'string' ? catalog.get(name) : undefined;
  if (entry && grants(entry, right)) return entry;
  const names = catalog.entries().flatMap((other) => (grants(other, right) ? [other.name] : []));
  throw new UnknownEntityError(name, right, typeof name === 'string' ? nearMatches(name, names) : []);
}

/** The field of that name, if scripts may read it. Throws `UnknownFieldError`. */
export function readableField(entry: EntityEntry, name: string): Field {
  const field = entry.fieldsByName.get(name);
  if (field?.readable) return field;
  throw unknownField(entry, name, 'read');
}

/** Says that there is no such field, and which ones may have been meant. */
export function unknownField(entry: EntityEntry, name: string, right: Right): UnknownFieldError {
  const names = entry.fields.filter((field) => (right === 'read' ? field.readable : field.writable));
  const near = nearMatches(
    name,
    names.map((field) => field.name),
  );
  return new UnknownFieldError(entry.name, name, right, near);
}

/** Every field of the entity that scripts may read. */
export function readableFields(entry: EntityEntry): readonly Field[] {
  return entry.fields.filter((field) => field.readable);
}
