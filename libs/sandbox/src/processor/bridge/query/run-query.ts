import type { JsonRecord } from '../../../protocol/change.js';
import { EntityCatalog, type EntityEntry } from '../../../scripts/entity-catalog.js';
import type { SqlStatement } from '../../../tenancy/tenancy.js';
import { type StatementNames, statementNamesOf } from '../../effects/statement-names.js';
import { recordIn } from '../../effects/table.js';
import { entityFor } from '../access.js';
import { planAggregate } from './aggregate-plan.js';
import { plain, type Plain } from './query-shape.js';
import { type IncludePlan, planRecords, type RecordPlan } from './record-plan.js';

type Row = Readonly<Record<string, unknown>>;

/** What a query needs of the run it is asked in. */
export interface QueryHost {
  readonly catalog: EntityCatalog;
  read(statement: SqlStatement): Promise<readonly Row[]>;
  /** Rows that the run may read in all its queries; `countRows` refuses more. */
  readonly mostRows: number;
  /** Counts rows read; throws where the limit is passed. */
  countRows(rows: number): void;
}

/**
 * Answers a script's query. Everything is validated before the first statement is sent; every identifier comes from the
 * metadata and every value is a parameter. Related records are read by one statement an include, not by joins, so that
 * no row is multiplied. Throws script-facing errors for what is wrong with the query.
 */
export async function runQuery(host: QueryHost, query: unknown): Promise<JsonRecord[]> {
  const given = plain(query, 'the query');
  const entry = entityFor(host.catalog, given.entity, 'read');
  return given.aggregate === undefined || given.aggregate === null
    ? await readRecords(host, planRecords(entry, given))
    : await readAggregate(host, entry, given);
}

async function readAggregate(host: QueryHost, entry: EntityEntry, query: Plain): Promise<JsonRecord[]> {
  const plan = planAggregate(entry, query);
  const rows = await host.read(ranged(entry, plan, host));
  host.countRows(rows.length);
  return rows.map(plan.read);
}

async function readRecords(host: QueryHost, plan: RecordPlan): Promise<JsonRecord[]> {
  const rows = await host.read(ranged(plan.entry, plan, host));
  host.countRows(rows.length);
  return await withIncludes(host, plan, rows);
}

/** A statement that lacks its range of rows. */
interface Unranged {
  readonly text: string;
  readonly values: readonly unknown[];
  readonly limit: number | undefined;
  readonly offset: number;
}

/**
 * One row more than may be read shows that the limit is passed, without reading the whole table. The limit is part of the
 * text: were it a parameter, PostgreSQL would plan a statement anew each time as long as it has no statistics (20 us).
 */
function ranged(entry: EntityEntry, { text, values, limit, offset }: Unranged, { mostRows }: QueryHost): SqlStatement {
  const first = `${text} limit ${Math.min(limit ?? Infinity, mostRows + 1)}`;
  if (offset === 0) return namesOf(entry).statement(first, values);
  return namesOf(entry).statement(`${first} offset $${values.length + 1}`, [...values, offset]);
}

async function withIncludes(host: QueryHost, plan: RecordPlan, rows: readonly Row[]): Promise<JsonRecord[]> {
  const records = rows.map((row) => recordIn(plan.fields, row, 'f'));
  for (const [at, include] of plan.includes.entries()) {
    const keys = rows.map((row) => row[`p${at}`]);
    const related = await readRelated(host, include, keys);
    records.forEach((record, index) => {
      const found = related.get(keyText(keys[index])) ?? [];
      record[include.name] = include.link.many ? found : (found[0] ?? null);
    });
  }
  return records;
}

/** The related records of all parents, by the parent's key. */
async function readRelated(
  host: QueryHost,
  include: IncludePlan,
  keys: readonly unknown[],
): Promise<ReadonlyMap<string, JsonRecord[]>> {
  const { plan } = include;
  const wanted = [...new Map(keys.filter((key) => key !== null).map((key) => [keyText(key), key])).values()];
  if (wanted.length === 0) return new Map();
  const values = [...plan.values, wanted, plan.limit ?? Number.MAX_SAFE_INTEGER, host.mostRows + 1];
  const rows = await host.read(namesOf(plan.entry).statement(plan.text, values));
  host.countRows(rows.length);
  const records = await withIncludes(host, plan, rows);
  const byParent = new Map<string, JsonRecord[]>();
  rows.forEach((row, at) => {
    const key = keyText(row['k']);
    const list = byParent.get(key) ?? [];
    list.push(records[at] as JsonRecord);
    byParent.set(key, list);
  });
  return byParent;
}

function keyText(key: unknown): string {
  return key instanceof Date ? key.toISOString() : String(key);
}

function namesOf(entry: EntityEntry): StatementNames {
  return statementNamesOf(entry.metadata.dataSource);
}
