import type { BeforeQueryEvent, EntitySubscriberInterface } from 'typeorm';
import type { WatchedEntity } from './watched-entity.js';

/** Statements that capture is about to see run, by their text: how many of each are on their way. */
const announced = new Map<string, number>();

/** Says that a builder under watch is about to run this statement. */
export function announceStatement(sql: string): void {
  announced.set(sql, (announced.get(sql) ?? 0) + 1);
}

function wasAnnounced(sql: string): boolean {
  const count = announced.get(sql);
  if (count === undefined) return false;
  if (count === 1) announced.delete(sql);
  else announced.set(sql, count - 1);
  return true;
}

const MOST_SQL = 500;
/** Where the words of a write are not a write. */
const TEXTS_AND_COMMENTS = /'(?:[^']|'')*'|--[^\n]*|\/\*[\s\S]*?\*\//g;
const WRITES = String.raw`(?:insert\s+into|update|delete\s+from|truncate(?:\s+table)?|merge\s+into)\s+(?:only\s+)?`;

/**
 * Notices writes of watched tables that went past the builders: raw SQL, `clear()`, the SQL with which TypeORM keeps
 * some trees. It cannot see cascades inside the database, nor other programs.
 */
export class QueryGuard implements EntitySubscriberInterface {
  private readonly pattern: RegExp;
  private readonly byTable = new Map<string, WatchedEntity>();

  constructor(
    entities: readonly WatchedEntity[],
    private readonly report: (entity: WatchedEntity, sql: string) => void,
  ) {
    for (const entity of entities) this.byTable.set(entity.entry.metadata.tableName.toLowerCase(), entity);
    const tables = [...this.byTable.keys()].map((name) => name.replaceAll(/[^a-z0-9_]/g, String.raw`\$&`));
    const schema = String.raw`(?:"?[a-z0-9_$-]+"?\s*\.\s*){0,2}`;
    this.pattern = new RegExp(String.raw`${WRITES}${schema}"?(${tables.join('|')})"?(?![a-z0-9_$"])`, 'i');
  }

  beforeQuery({ query }: BeforeQueryEvent): void {
    // Reads are most of the statements, and begin so.
    if (typeof query !== 'string' || /^\s*(?:select|start|commit|rollback|savepoint|release)\b/i.test(query)) return;
    if (wasAnnounced(query)) return;
    if (!this.pattern.test(query)) return;
    const table = this.pattern.exec(query.replaceAll(TEXTS_AND_COMMENTS, ' '))?.[1];
    const entity = table && this.byTable.get(table.toLowerCase());
    if (entity) this.report(entity, query.length > MOST_SQL ? `${query.slice(0, MOST_SQL)}...` : query);
  }
}
