import { DEFAULT_LIMITS } from '../protocol/limits.js';
import type { EntityCatalog, EntityEntry, Field } from './entity-catalog.js';
import { accessOptionsOf } from './script-access.decorator.js';
import { TYPES_PRELUDE } from './script-types.prelude.js';

/** What the declarations tell about. */
export interface ScriptTypesOptions {
  /** Names of the host's bridge methods: `inventory.reserve`. */
  readonly methods?: readonly string[];
  /** Trigger name of the one entity that fires the script; left out: any of them, told apart by `context.entity`. */
  readonly entity?: string;
}

/** Injection token of a function that returns the names of the host's bridge methods: `() => ['inventory.reserve']`. */
export const HOST_METHODS = Symbol.for('nestjs-sandbox:host-methods');

/** TypeScript declarations of what a script sees, for an editor or `tsc --lib ES2023`: `context` and the other globals. */
export function scriptTypes(catalog: EntityCatalog, { methods = [], entity }: ScriptTypesOptions = {}): string {
  const entries = catalog.entries();
  const readable = entries.filter((entry) => isGranted(entry, 'read'));
  const firing = entries.filter((entry) => entry.trigger && (entity === undefined || entry.name === entity));
  const parts = [
    '// Generated from the entities that scripts may know. Needs lib ES2023 and no other.',
    'declare namespace Sandbox {',
    TYPES_PRELUDE,
    declareMap('Rows', 'What a query returns.', readable, (entry) => shape(visible(entry), outputType)),
    declareMap('Records', 'What fires scripts.', firing, recordShape),
    declareMap('Fields', 'Names of fields.', readable, (entry) => union(visible(entry).map((field) => field.name))),
    declareMap('Conditions', 'What `where` takes.', readable, (entry) => conditionShape(entry, catalog)),
    declareMap('Relations', 'What `include` brings along.', readable, (entry) => relationShape(entry, catalog)),
    declareMap('Values', 'What `execute` writes.', writableEntries(entries), (entry) =>
      shape(writable(entry), inputType, '?'),
    ),
    `interface Services ${serviceShape(methods)}`,
    `interface Limits { ${Object.keys(DEFAULT_LIMITS)
      .map((name) => `readonly ${name}: number;`)
      .join(' ')} }`,
    `type Context = Bridge & { [E in keyof Records]: Changed<E> }[keyof Records];`,
    '}',
    GLOBALS,
  ];
  return `${parts.join('\n')}\n`;
}

const GLOBALS = `/** What happened, and the ways to read, write and tell. */
declare const context: Sandbox.Context;
/** The run's value; without it, the value of the last expression. */
declare function setResult(value: unknown): void;
/** Kept with the execution. */
declare function log(...values: unknown[]): void;
declare const console: { debug(...values: unknown[]): void; info(...values: unknown[]): void; log(...values: unknown[]): void; warn(...values: unknown[]): void; error(...values: unknown[]): void };
/** Throw one to have the action tried again later. */
declare class RetryLater extends Error {
  constructor(message?: string, options?: { readonly afterMs?: number });
}`;

type TypeOf = (field: Field) => string;

function isGranted(entry: EntityEntry, right: 'read' | 'write'): boolean {
  const columns = accessOptionsOf(entry.metadata.target as object)?.[right];
  return columns === true || (columns?.length ?? 0) > 0;
}

function visible(entry: EntityEntry): readonly Field[] {
  return entry.fields.filter((field) => field.readable);
}

function writable(entry: EntityEntry): readonly Field[] {
  return entry.fields.filter((field) => field.writable);
}

function writableEntries(entries: readonly EntityEntry[]): readonly EntityEntry[] {
  return entries.filter((entry) => isGranted(entry, 'write'));
}

function declareMap(
  name: string,
  comment: string,
  entries: readonly EntityEntry[],
  body: (entry: EntityEntry) => string,
): string {
  const members = entries.map((entry) => `  readonly ${propertyName(entry.name)}: ${body(entry)};`);
  return `/** ${comment} */\ninterface ${name} {\n${members.join('\n')}\n}`;
}

/** `record.id` is always set, whatever the primary key is called. */
function recordShape(entry: EntityEntry): string {
  const fields = entry.fields.filter((field) => field.column.isSelect);
  const id = fields.some((field) => field.name === 'id') ? '' : ' & { readonly id: string }';
  return shape(fields, outputType) + id;
}

function conditionShape(entry: EntityEntry, catalog: EntityCatalog): string {
  const relations = relationsOf(entry, catalog).map(
    ({ name, target }) => `readonly ${propertyName(name)}?: Where<${JSON.stringify(target)}>;`,
  );
  const fields = shape(visible(entry), (field) => `Condition<${inputType(field, false)}>`, '?');
  return relations.length ? `${fields} & { ${relations.join(' ')} }` : fields;
}

function relationShape(entry: EntityEntry, catalog: EntityCatalog): string {
  const members = relationsOf(entry, catalog).map(({ name, target, many }) => {
    const row = `Rows[${JSON.stringify(target)}]`;
    return `readonly ${propertyName(name)}: ${many ? `readonly ${row}[]` : `${row} | null`};`;
  });
  return `{ ${members.join(' ')} }`;
}

function relationsOf(entry: EntityEntry, catalog: EntityCatalog) {
  return entry.metadata.relations.flatMap((relation) => {
    const target = catalog.find(relation.inverseEntityMetadata);
    if (!target || !isGranted(target, 'read') || relation.propertyPath.includes('.')) return [];
    const many = relation.isOneToMany || relation.isManyToMany;
    return [{ name: relation.propertyName, target: target.name, many }];
  });
}

/** An object type; fields with dotted names become objects in it. */
function shape(fields: readonly Field[], typeOf: TypeOf, optional: '' | '?' = ''): string {
  return shapeOf(
    fields.map((field) => ({ path: field.name.split('.'), type: typeOf(field) })),
    optional,
  );
}

interface Member {
  readonly path: readonly string[];
  readonly type: string;
}

function shapeOf(members: readonly Member[], optional: '' | '?'): string {
  const groups = new Map<string, Member[]>();
  for (const { path, type } of members) {
    const [first = '', ...rest] = path;
    groups.set(first, [...(groups.get(first) ?? []), { path: rest, type }]);
  }
  const lines = [...groups].map(([name, group]) => {
    const type = group[0]?.path.length ? shapeOf(group, optional) : group[0]?.type;
    return `readonly ${propertyName(name)}${optional}: ${type};`;
  });
  return `{ ${lines.join(' ')} }`;
}

function outputType(field: Field): string {
  const type = wireType(field, 'string');
  return field.column.isNullable ? `${type} | null` : type;
}

function inputType(field: Field, nullable: unknown = true): string {
  const type = wireType(field, 'Numeric');
  return field.column.isNullable && nullable !== false ? `${type} | null` : type;
}

function wireType(field: Field, numeric: string): string {
  switch (field.kind) {
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'bigint':
    case 'decimal':
      return numeric;
    case 'json':
      return 'any';
    case 'array':
      return 'readonly any[]';
    case 'enum':
      return union(field.column.enum ?? []) || 'string';
    default:
      return 'string';
  }
}

function union(values: readonly (string | number)[]): string {
  return values.length ? values.map((value) => JSON.stringify(value)).join(' | ') : 'never';
}

/** `inventory.reserve` becomes `inventory: { reserve(args): any }`. */
function serviceShape(methods: readonly string[]): string {
  const members = methods.map((name) => ({ path: name.split('.'), type: '(args?: unknown) => any' }));
  return shapeOf(members, '');
}

function propertyName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}
