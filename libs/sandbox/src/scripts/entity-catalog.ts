import type { DataSource, EntityMetadata } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { InvalidDecoratorError } from '../errors/decorator.errors.js';
import { accessOptionsOf, hasAccessOptions, type ScriptAccessOptions } from './script-access.decorator.js';
import { triggerOptionsOf, type ScriptTriggerOptions } from './script-trigger.decorator.js';

/** How a column's values cross the wire (see `toWire`) and what a script may send for it (see the bridge). */
export type FieldKind =
  | 'string'
  | 'number'
  | 'boolean'
  | 'datetime'
  | 'date'
  | 'time'
  | 'bigint'
  | 'decimal'
  | 'uuid'
  | 'json'
  | 'binary'
  | 'enum'
  | 'array';

/** One column as scripts know it. */
export interface Field {
  /** Property path in records and queries: `amount`, `address.city`; for a bare relation `customer` its key, `customerId`. */
  readonly name: string;
  readonly column: ColumnMetadata;
  /** Name of the column in the database. */
  readonly databaseName: string;
  readonly kind: FieldKind;
  readonly readable: boolean;
  readonly writable: boolean;
}

/** One entity as scripts know it. */
export interface EntityEntry {
  /** Trigger name: `order`. */
  readonly name: string;
  readonly metadata: EntityMetadata;
  readonly trigger: ScriptTriggerOptions | undefined;
  readonly fields: readonly Field[];
  readonly fieldsByName: ReadonlyMap<string, Field>;
  readonly primary: readonly Field[];
}

const catalogs = new WeakMap<DataSource, EntityCatalog>();

/** The entities of a DataSource that scripts may know: those with `@ScriptTrigger` or `@ScriptAccess`. */
export class EntityCatalog {
  private readonly byName = new Map<string, EntityEntry>();
  private readonly byMetadata = new Map<EntityMetadata, EntityEntry>();

  private constructor(dataSource: DataSource) {
    for (const metadata of dataSource.entityMetadatas) {
      const entry = describeEntity(metadata);
      if (!entry) continue;
      this.byName.set(entry.name, entry);
      this.byMetadata.set(metadata, entry);
    }
  }

  /** The catalogue of an initialised DataSource; made once each. */
  static of(dataSource: DataSource): EntityCatalog {
    let catalog = catalogs.get(dataSource);
    if (!catalog) catalogs.set(dataSource, (catalog = new EntityCatalog(dataSource)));
    return catalog;
  }

  /** Every entity, in the order of the DataSource. */
  entries(): readonly EntityEntry[] {
    return [...this.byName.values()];
  }

  /** By the name scripts use. */
  get(name: string): EntityEntry | undefined {
    return this.byName.get(name);
  }

  /** By TypeORM's metadata; `undefined` where scripts know nothing of the entity. */
  find(metadata: EntityMetadata): EntityEntry | undefined {
    return this.byMetadata.get(metadata);
  }
}

function describeEntity(metadata: EntityMetadata): EntityEntry | undefined {
  if (typeof metadata.target !== 'function') return undefined;
  const trigger = triggerOptionsOf(metadata.target);
  const access = accessOptionsOf(metadata.target);
  if (!trigger && !access) return undefined;
  const grants = (right: true | readonly string[] | undefined, name: string) =>
    right === true || (right?.includes(name) ?? false);
  if (access) assertColumnsExist(metadata, access);
  const fields = metadata.columns.map((column): Field => {
    const name = fieldName(column);
    return {
      name,
      column,
      databaseName: column.databaseName,
      kind: fieldKind(column),
      readable: column.isPrimary || (grants(access?.read, name) && column.isSelect),
      writable: !column.isGenerated && grants(access?.write, name),
    };
  });
  return {
    name: trigger?.name ?? camelCase(metadata.name),
    metadata,
    trigger,
    fields,
    fieldsByName: new Map(fields.map((field) => [field.name, field])),
    primary: fields.filter((field) => field.column.isPrimary),
  };
}

/** A name that no column has would grant nothing, in silence. One that was inherited may be a sibling's. */
function assertColumnsExist(metadata: EntityMetadata, access: ScriptAccessOptions): void {
  if (!hasAccessOptions(metadata.target as object)) return;
  const names = metadata.columns.map(fieldName);
  for (const right of ['read', 'write'] as const) {
    const columns = access[right] ?? [];
    const unknown = columns === true ? undefined : columns.find((name) => !names.includes(name));
    if (unknown === undefined) continue;
    const remedy = `there is no such column; there are ${names.join(', ')}`;
    throw new InvalidDecoratorError(`@ScriptAccess on ${metadata.name}`, right, unknown, remedy);
  }
}

/** `Order` -> `order`, `OrderLine` -> `orderLine`. */
function camelCase(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

function fieldName(column: ColumnMetadata): string {
  if (!column.isVirtual || !column.relationMetadata || !column.referencedColumn) return column.propertyPath;
  const key = column.referencedColumn.propertyName;
  return column.relationMetadata.propertyName + key.charAt(0).toUpperCase() + key.slice(1);
}

const KINDS: ReadonlyMap<string, FieldKind> = new Map<string, FieldKind>([
  ...(
    [
      'int',
      'int2',
      'int4',
      'integer',
      'smallint',
      'mediumint',
      'tinyint',
      'float',
      'float4',
      'float8',
      'double',
      'double precision',
      'real',
      'number',
    ] as const
  ).map((type) => [type, 'number'] as const),
  ...(['bigint', 'int8'] as const).map((type) => [type, 'bigint'] as const),
  ...(['decimal', 'numeric', 'money', 'dec', 'fixed'] as const).map((type) => [type, 'decimal'] as const),
  ...(['boolean', 'bool'] as const).map((type) => [type, 'boolean'] as const),
  ...(['timestamp', 'timestamptz', 'timestamp with time zone', 'timestamp without time zone', 'datetime'] as const).map(
    (type) => [type, 'datetime'] as const,
  ),
  ['date', 'date'],
  ...(['time', 'timetz', 'time with time zone', 'time without time zone'] as const).map(
    (type) => [type, 'time'] as const,
  ),
  ['uuid', 'uuid'],
  ...(['json', 'jsonb', 'simple-json'] as const).map((type) => [type, 'json'] as const),
  ...(['bytea', 'blob', 'longblob', 'mediumblob', 'tinyblob', 'binary', 'varbinary'] as const).map(
    (type) => [type, 'binary'] as const,
  ),
  ...(['enum', 'simple-enum'] as const).map((type) => [type, 'enum'] as const),
  ['simple-array', 'array'],
]);

function fieldKind(column: ColumnMetadata): FieldKind {
  if (column.isArray) return 'array';
  if (column.type === Number) return 'number';
  if (column.type === Boolean) return 'boolean';
  if (column.type === Date || column.isCreateDate || column.isUpdateDate || column.isDeleteDate) return 'datetime';
  return KINDS.get(String(column.type)) ?? 'string';
}
