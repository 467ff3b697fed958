import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { InvalidQueryError } from '../../../errors/bridge.errors.js';
import { describeValue } from '../../../errors/sandbox-error.js';
import type { EntityEntry, Field } from '../../../scripts/entity-catalog.js';
import { Parameters } from '../../effects/parameters.js';
import { columnOf, selectList, tableOf } from '../../effects/table.js';
import { readableField, readableFields } from '../access.js';
import { orderSql } from './order-by.js';
import { count, isPlain, nameList, onlyKeys, type Plain, QUERY_CAPS, QueryBudget } from './query-shape.js';
import { relationOrThrow, type RelationLink } from './relation-link.js';
import { rootScope, whereSql } from './where.js';

/** One statement of a query, validated; its last parameters are filled in when it is sent. */
export interface RecordPlan {
  readonly entry: EntityEntry;
  readonly fields: readonly Field[];
  readonly text: string;
  readonly values: readonly unknown[];
  /** Most rows the query asks for: of all, or for an include of each parent. */
  readonly limit: number | undefined;
  readonly offset: number;
  readonly includes: readonly IncludePlan[];
}

/** Related records to bring along, in a statement of their own over all the parents at once. */
export interface IncludePlan {
  readonly name: string;
  readonly link: RelationLink;
  /** The parent's column that the related rows name; read as `p<position of the include>`. */
  readonly parentKey: ColumnMetadata;
  readonly plan: RecordPlan;
}

const OPTIONS = ['select', 'where', 'include', 'orderBy', 'limit'];

/** Validates a query for records and writes its statements. Throws script-facing errors; sends nothing. */
export function planRecords(entry: EntityEntry, query: Plain): RecordPlan {
  onlyKeys(query, ['entity', 'offset', ...OPTIONS], 'the query');
  return planStatement(entry, query, new QueryBudget(), 'query', 1, undefined);
}

function planStatement(
  entry: EntityEntry,
  spec: Plain,
  budget: QueryBudget,
  path: string,
  depth: number,
  link: RelationLink | undefined,
): RecordPlan {
  budget.depth(depth, path);
  const fields = selected(entry, spec.select, path);
  const includes = planIncludes(entry, spec.include, budget, path, depth);
  const limit = count(spec.limit, QUERY_CAPS.offset, `${path}.limit`);
  const offset = count(spec.offset, QUERY_CAPS.offset, `${path}.offset`) ?? 0;
  const params = new Parameters();
  const scope = rootScope(entry, params, budget);
  const where = whereSql(scope, spec.where, `${path}.where`);
  const order = orderSql(scope, spec.orderBy, `${path}.orderBy`);
  const columns = [
    selectList(fields, 't', 'f'),
    ...includes.map((each, at) => `${columnOf(each.parentKey, 't')} as "p${at}"`),
  ];
  const parts = { columns: columns.join(', '), where, order, first: params.values.length + 1 };
  const text = link ? relatedText(link, parts) : rootText(entry, parts);
  return { entry, fields, text, values: params.values, limit, offset, includes };
}

interface StatementParts {
  readonly columns: string;
  readonly where: string;
  readonly order: string;
  /** Number of the first parameter that is filled in later. */
  readonly first: number;
}

/** Later: the range of rows. */
function rootText(entry: EntityEntry, { columns, where, order }: StatementParts): string {
  return `select ${columns} from ${tableOf(entry.metadata)} t where ${where} order by ${order}`;
}

/** Later parameters: the parents' keys, the limit per parent, the limit of all. The parent's key comes back as `k`. */
function relatedText(link: RelationLink, { columns, where, order, first }: StatementParts): string {
  const source = `${tableOf(link.target.metadata)} t`;
  const key = columnOf(onlyPair(link.pairs).to, link.junction ? 'j' : 't');
  const from = link.junction
    ? `${source} join ${tableOf(link.junction.metadata)} j on ${columnOf(onlyPair(link.junction.pairs).to, 't')} = ${columnOf(onlyPair(link.junction.pairs).from, 'j')}`
    : source;
  const numbered = `row_number() over (partition by ${key} order by ${order}) as "n"`;
  return `select * from (select ${columns}, ${key} as "k", ${numbered} from ${from} where ${key} = any($${first}) and ${where}) s where "n" <= $${first + 1} order by "n" limit $${first + 2}`;
}

function onlyPair(pairs: RelationLink['pairs']): RelationLink['pairs'][number] {
  return pairs[0] as RelationLink['pairs'][number];
}

function selected(entry: EntityEntry, select: unknown, path: string): readonly Field[] {
  if (select === undefined || select === null) return readableFields(entry);
  const names = new Set(nameList(select, `${path}.select`));
  return [...names].flatMap((name) => {
    const embedded = entry.fields.filter((field) => field.readable && field.name.startsWith(`${name}.`));
    return embedded.length > 0 ? embedded : [readableField(entry, name)];
  });
}

function planIncludes(
  entry: EntityEntry,
  include: unknown,
  budget: QueryBudget,
  path: string,
  depth: number,
): readonly IncludePlan[] {
  return Object.entries(includeSpecs(include, `${path}.include`)).map(([name, spec]) => {
    const where = `${path}.include.${name}`;
    budget.relation(where);
    const link = relationOrThrow(entry, name, where);
    if (link.pairs.length > 1) throw new InvalidQueryError(where, 'cannot be included: its key has several columns.');
    return {
      name,
      link,
      parentKey: onlyPair(link.pairs).from,
      plan: planStatement(link.target, spec, budget, where, depth + 1, link),
    };
  });
}

/** Every form of `include` as a map from relation to options; `customer.country` is an include within an include. */
function includeSpecs(include: unknown, path: string): Readonly<Record<string, Plain>> {
  if (include === undefined || include === null) return {};
  if (isPlain(include)) {
    return Object.fromEntries(
      Object.entries(include).map(([name, spec]) => [name, includeSpec(spec, `${path}.${name}`)]),
    );
  }
  // no prototype: `__proto__` in a path must be a key like any other
  const specs = Object.create(null) as Record<string, Plain>;
  for (const name of nameList(include, path)) addDotted(specs, name.split('.'));
  return specs;
}

function addDotted(specs: Record<string, Plain>, [name, ...rest]: readonly string[]): void {
  const own = (specs[name as string] ??= {}) as { include?: Record<string, Plain> };
  if (rest.length > 0) addDotted((own.include ??= Object.create(null) as Record<string, Plain>), rest);
}

function includeSpec(spec: unknown, path: string): Plain {
  if (spec === true) return {};
  if (!isPlain(spec)) throw new InvalidQueryError(path, `must be true or an object, not ${describeValue(spec)}.`);
  onlyKeys(spec, OPTIONS, path);
  return spec;
}
