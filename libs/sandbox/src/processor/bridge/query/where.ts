import { InvalidQueryError } from '../../../errors/bridge.errors.js';
import { describeValue } from '../../../errors/sandbox-error.js';
import type { EntityEntry, Field } from '../../../scripts/entity-catalog.js';
import { Parameters } from '../../effects/parameters.js';
import { columnOf, rowConditions, tableOf } from '../../effects/table.js';
import { unknownField } from '../access.js';
import { fieldCondition } from './operators.js';
import { isPlain, plain, type Plain, type QueryBudget } from './query-shape.js';
import { relationLink, type RelationLink } from './relation-link.js';

/** Where a condition stands: the entity, the alias of its table, and what the statement shares. */
export interface Scope {
  readonly entry: EntityEntry;
  readonly alias: string;
  readonly params: Parameters;
  readonly budget: QueryBudget;
  /** Makes an alias no other table of the statement has. */
  readonly nextAlias: () => string;
}

/** A scope for a new statement. */
export function rootScope(entry: EntityEntry, params: Parameters, budget: QueryBudget): Scope {
  let aliases = 0;
  return { entry, alias: 't', params, budget, nextAlias: () => `r${aliases++}` };
}

/**
 * The conditions of a `where` as SQL, joined by `and`; what every row has to satisfy (soft deletion) comes first.
 * Conditions are two-valued as in JavaScript: `not` also holds of rows where the field is null.
 */
export function whereSql(scope: Scope, where: unknown, path = 'where'): string {
  const rows = rowConditions(scope.entry, scope.alias, scope.params.add);
  const own = where === undefined || where === null ? [] : conditions(scope, plain(where, path), '', path, 1);
  return [...rows, ...own].join(' and ') || 'true';
}

/** The conditions of an object; `prefix` is the embedded property it stands under. */
function conditions(scope: Scope, where: Plain, prefix: string, path: string, depth: number): string[] {
  scope.budget.depth(depth, path);
  return Object.entries(where).map(([key, value]) => condition(scope, key, value, prefix, `${path}.${key}`, depth));
}

function condition(scope: Scope, key: string, value: unknown, prefix: string, path: string, depth: number): string {
  if (key === 'and' || key === 'or' || key === 'not') return logical(scope, key, value, prefix, path, depth);
  const name = prefix + key;
  const field = scope.entry.fieldsByName.get(name);
  if (field?.readable) {
    scope.budget.condition(path);
    return fieldCondition(field, columnOf(field.column, scope.alias), value, path, scope.params.add);
  }
  return nested(scope, name, value, path, depth);
}

/** An embedded object, a relation, or the first step of a dotted path to one. */
function nested(scope: Scope, name: string, value: unknown, path: string, depth: number): string {
  if (isEmbedded(scope.entry, name)) {
    return all(conditions(scope, plain(value, path), `${name}.`, path, depth + 1));
  }
  const link = relationLink(scope.entry, name);
  if (link) return exists(scope, link, value, path, depth);
  const dot = name.lastIndexOf('.');
  const owner = dot > 0 ? relationLink(scope.entry, name.slice(0, dot)) : undefined;
  if (owner) return exists(scope, owner, { [name.slice(dot + 1)]: value }, path, depth);
  throw unknownField(scope.entry, name, 'read');
}

function isEmbedded(entry: EntityEntry, name: string): boolean {
  return entry.fields.some((field: Field) => field.readable && field.name.startsWith(`${name}.`));
}

function logical(
  scope: Scope,
  key: 'and' | 'or' | 'not',
  value: unknown,
  prefix: string,
  path: string,
  depth: number,
): string {
  if (key === 'or' && !Array.isArray(value)) {
    throw new InvalidQueryError(path, `must be an array of conditions, not ${describeValue(value)}.`);
  }
  const parts = (Array.isArray(value) ? value : [value]).map((part, at) =>
    all(conditions(scope, plain(part, `${path}[${at}]`), prefix, path, depth + 1)),
  );
  if (key === 'or') return parts.length === 0 ? 'false' : `(${parts.join(' or ')})`;
  return key === 'and' ? all(parts) : `(${all(parts)}) is not true`;
}

function all(parts: readonly string[]): string {
  return parts.length === 0 ? 'true' : `(${parts.join(' and ')})`;
}

/** Some related row satisfies the conditions. A subquery, so that no row of the outer query comes back twice. */
function exists(outer: Scope, link: RelationLink, where: unknown, path: string, depth: number): string {
  if (!isPlain(where)) {
    throw new InvalidQueryError(path, `is a relation: give conditions on its fields, not ${describeValue(where)}.`);
  }
  outer.budget.relation(path);
  const inner: Scope = { ...outer, entry: link.target, alias: outer.nextAlias() };
  const own = conditions(inner, where, '', path, depth + 1);
  const rows = rowConditions(link.target, inner.alias, outer.params.add);
  return `exists (select 1 from ${linkSql(outer, link, inner.alias)} ${[...rows, ...own].map((sql) => `and ${sql}`).join(' ')})`;
}

/** `<tables> where <they belong to the outer row>`, for a subquery over the related rows. */
export function linkSql(outer: Scope, link: RelationLink, alias: string): string {
  const target = `${tableOf(link.target.metadata)} ${alias}`;
  if (!link.junction) return `${target} where ${equal(link.pairs, outer.alias, alias)}`;
  const junction = outer.nextAlias();
  const join = equal(link.junction.pairs, junction, alias);
  return `${target} join ${tableOf(link.junction.metadata)} ${junction} on ${join} where ${equal(link.pairs, outer.alias, junction)}`;
}

function equal(pairs: RelationLink['pairs'], from: string, to: string): string {
  return pairs.map((pair) => `${columnOf(pair.to, to)} = ${columnOf(pair.from, from)}`).join(' and ');
}
