import { InvalidQueryError } from '../../../errors/bridge.errors.js';
import { describeValue } from '../../../errors/sandbox-error.js';
import type { JsonRecord } from '../../../protocol/change.js';
import type { EntityEntry, Field, FieldKind } from '../../../scripts/entity-catalog.js';
import { Parameters } from '../../effects/parameters.js';
import { setPath } from '../../../scripts/record-codec.js';
import { columnOf, tableOf, wireValue } from '../../effects/table.js';
import { readableField } from '../access.js';
import { orderTerms } from './order-by.js';
import { count, nameList, onlyKeys, plain, type Plain, QUERY_CAPS, QueryBudget } from './query-shape.js';
import { rootScope, whereSql } from './where.js';

type AggregateFunction = 'count' | 'sum' | 'avg' | 'min' | 'max';

/** One column of the answer. */
interface Output {
  /** Where it goes in the row: `status`, `count`, `sum.amount`. */
  readonly name: string;
  readonly sql: string;
  readonly read: (raw: unknown) => unknown;
}

/** An aggregate query, validated. */
export interface AggregatePlan {
  readonly text: string;
  readonly values: readonly unknown[];
  readonly limit: number | undefined;
  readonly offset: number;
  readonly read: (row: Readonly<Record<string, unknown>>) => JsonRecord;
}

const SUMMABLE: ReadonlySet<FieldKind> = new Set(['number', 'bigint', 'decimal']);
const COMPARABLE: ReadonlySet<FieldKind> = new Set([...SUMMABLE, 'string', 'datetime', 'date', 'time']);

/** Validates an aggregate query and writes its statement. Throws script-facing errors; sends nothing. */
export function planAggregate(entry: EntityEntry, query: Plain): AggregatePlan {
  onlyKeys(
    query,
    ['entity', 'where', 'aggregate', 'groupBy', 'orderBy', 'limit', 'offset'],
    'the query with aggregate',
  );
  const params = new Parameters();
  const groups = groupOutputs(entry, query.groupBy);
  const outputs = [...groups, ...aggregateOutputs(entry, plain(query.aggregate, 'query.aggregate'))];
  if (outputs.length === groups.length) throw new InvalidQueryError('query.aggregate', 'asks for nothing.');
  const where = whereSql(rootScope(entry, params, new QueryBudget()), query.where, 'query.where');
  const columns = outputs.map(({ sql }, at) => `${sql} as "a${at}"`).join(', ');
  const grouping = groups.length > 0 ? ` group by ${groups.map((_, at) => at + 1).join(', ')}` : '';
  const order = orderOf(outputs, groups, query.orderBy);
  return {
    text: `select ${columns} from ${tableOf(entry.metadata)} t where ${where}${grouping}${order}`,
    values: params.values,
    limit: count(query.limit, QUERY_CAPS.offset, 'query.limit'),
    offset: count(query.offset, QUERY_CAPS.offset, 'query.offset') ?? 0,
    read: (row) => readOutputs(outputs, row),
  };
}

function readOutputs(outputs: readonly Output[], row: Readonly<Record<string, unknown>>): JsonRecord {
  const record: JsonRecord = {};
  outputs.forEach((output, at) => setPath(record, output.name, output.read(row[`a${at}`])));
  return record;
}

function groupOutputs(entry: EntityEntry, groupBy: unknown): Output[] {
  if (groupBy === undefined || groupBy === null) return [];
  return nameList(groupBy, 'query.groupBy').map((name) => {
    const field = readableField(entry, name);
    if (field.kind === 'json') throw new InvalidQueryError('query.groupBy', `cannot group by ${name}: it holds json.`);
    return { name, sql: castForWire(field), read: (raw) => wireValue(field, raw) };
  });
}

function castForWire(field: Field): string {
  const column = columnOf(field.column, 't');
  return field.kind === 'date' ? `${column}::text` : column;
}

function aggregateOutputs(entry: EntityEntry, aggregate: Plain): Output[] {
  onlyKeys(aggregate, ['count', 'sum', 'avg', 'min', 'max'], 'query.aggregate');
  return Object.entries(aggregate).flatMap(([name, argument]) => {
    if (argument === undefined || argument === false) return [];
    return name === 'count' ? [countOutput(argument)] : overFields(entry, name as AggregateFunction, argument);
  });
}

function countOutput(argument: unknown): Output {
  if (argument !== true)
    throw new InvalidQueryError('query.aggregate.count', `must be true, not ${describeValue(argument)}.`);
  return { name: 'count', sql: 'count(*)', read: Number };
}

function overFields(entry: EntityEntry, name: AggregateFunction, argument: unknown): Output[] {
  return nameList(argument, `query.aggregate.${name}`).map((fieldName) => {
    const field = readableField(entry, fieldName);
    const allowed = name === 'sum' || name === 'avg' ? SUMMABLE : COMPARABLE;
    if (!allowed.has(field.kind)) {
      throw new InvalidQueryError(
        `query.aggregate.${name}`,
        `cannot take ${fieldName}: it holds ${field.kind} values.`,
      );
    }
    const column = columnOf(field.column, 't');
    const sql = `${name}(${column})${field.kind === 'date' ? '::text' : ''}`;
    return { name: `${name}.${fieldName}`, sql, read: (raw) => aggregated(field, raw) };
  });
}

/** Like the field's own values: numbers of number columns, exact strings of bigint and decimal ones. */
function aggregated(field: Field, raw: unknown): unknown {
  if (raw === null) return null;
  if (field.kind === 'number') return Number(raw);
  return SUMMABLE.has(field.kind) ? String(raw as string | number) : wireValue(field, raw);
}

/** By the columns of the answer; groups come in their own order where nothing else is asked for. */
function orderOf(outputs: readonly Output[], groups: readonly Output[], orderBy: unknown): string {
  const terms = orderTerms(orderBy, 'query.orderBy').map(({ name, direction }) => {
    const at = outputs.findIndex((output) => output.name === name);
    if (at < 0) {
      const known = outputs.map((output) => output.name).join(', ');
      throw new InvalidQueryError('query.orderBy', `cannot order by ${describeValue(name)}: the answer has ${known}.`);
    }
    return `${at + 1} ${direction}`;
  });
  const all = [...terms, ...groups.map((_, at) => String(at + 1))];
  return all.length > 0 ? ` order by ${all.join(', ')}` : '';
}
