import { InvalidQueryError, UnknownFieldError } from '../../../errors/bridge.errors.js';
import { describeValue } from '../../../errors/sandbox-error.js';
import type { EntityEntry } from '../../../scripts/entity-catalog.js';
import { columnOf, rowConditions } from '../../effects/table.js';
import { readableField } from '../access.js';
import { isPlain, type Plain, QUERY_CAPS } from './query-shape.js';
import { relationLink } from './relation-link.js';
import { linkSql, type Scope } from './where.js';

/** One criterion of an order. */
export interface OrderTerm {
  readonly name: string;
  readonly direction: 'asc' | 'desc';
}

/** Reads every form `orderBy` may have. Throws `InvalidQueryError`. */
export function orderTerms(orderBy: unknown, path: string): readonly OrderTerm[] {
  if (orderBy === undefined || orderBy === null) return [];
  const list = (Array.isArray(orderBy) ? orderBy : [orderBy]).flatMap((term, at) => termsOf(term, `${path}[${at}]`));
  if (list.length > QUERY_CAPS.orders)
    throw new InvalidQueryError(path, `has more than ${QUERY_CAPS.orders} criteria.`);
  return list;
}

function termsOf(term: unknown, path: string): OrderTerm[] {
  if (typeof term === 'string') {
    return [term.startsWith('-') ? { name: term.slice(1), direction: 'desc' } : { name: term, direction: 'asc' }];
  }
  if (!isPlain(term))
    throw new InvalidQueryError(path, `must be a field name or { field: 'asc' }, not ${describeValue(term)}.`);
  return pairTerm(term, path) ?? Object.entries(term).map(([name, dir]) => ({ name, direction: direction(dir, path) }));
}

/** `{ field: 'amount', dir: 'desc' }`. */
function pairTerm(term: Plain, path: string): OrderTerm[] | undefined {
  const { field, dir, direction: long, ...rest } = term;
  if (typeof field !== 'string' || Object.keys(rest).length > 0) return undefined;
  if (/^(?:asc|desc)$/i.test(field) && dir === undefined && long === undefined) return undefined;
  return [{ name: field, direction: direction(dir ?? long ?? 'asc', path) }];
}

function direction(value: unknown, path: string): 'asc' | 'desc' {
  const given = typeof value === 'string' ? value.toLowerCase() : value;
  if (given === 'asc' || given === 'desc') return given;
  throw new InvalidQueryError(path, `must be ordered 'asc' or 'desc', not ${describeValue(value)}.`);
}

/** `order by ...`: the criteria, then the primary key, so that pages neither overlap nor leave gaps. */
export function orderSql(scope: Scope, orderBy: unknown, path: string): string {
  const terms = orderTerms(orderBy, path).map(({ name, direction: dir }) => `${orderColumn(scope, name, path)} ${dir}`);
  return [...terms, ...scope.entry.primary.map((field) => columnOf(field.column, scope.alias))].join(', ');
}

function orderColumn(scope: Scope, name: string, path: string): string {
  const field = scope.entry.fieldsByName.get(name);
  if (field?.readable && field.kind !== 'json') return columnOf(field.column, scope.alias);
  if (field?.readable) throw new InvalidQueryError(path, `cannot order by ${name}: it holds json values.`);
  const dot = name.lastIndexOf('.');
  return dot > 0 ? relatedColumn(scope, name.slice(0, dot), name.slice(dot + 1), path) : noField(scope.entry, name);
}

function noField(entry: EntityEntry, name: string): never {
  readableField(entry, name);
  throw new UnknownFieldError(entry.name, name, 'read', []);
}

/** `customer.name`: the field of the one related row, as a subquery. */
function relatedColumn(scope: Scope, relation: string, name: string, path: string): string {
  const link = relationLink(scope.entry, relation);
  if (!link) return noField(scope.entry, `${relation}.${name}`);
  if (link.many) throw new InvalidQueryError(path, `cannot order by ${relation}.${name}: a row has many ${relation}.`);
  scope.budget.relation(path);
  const field = readableField(link.target, name);
  const alias = scope.nextAlias();
  const rows = rowConditions(link.target, alias, scope.params.add).map((sql) => ` and ${sql}`);
  return `(select ${columnOf(field.column, alias)} from ${linkSql(scope, link, alias)}${rows.join('')})`;
}
