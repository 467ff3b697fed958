/** What happened to an entity. A soft removal counts as `delete`, a recovery as `create`. */
export type Operation = 'create' | 'update' | 'delete';

/** Every operation, in the order they are shown. */
export const OPERATIONS: readonly Operation[] = ['create', 'update', 'delete'];

/** A record as it crosses the wire: property names to JSON values (dates ISO, bigint and decimal strings, binary base64). */
export type JsonRecord = Record<string, unknown>;

/** One captured entity event, plain data. */
export interface Change {
  /** The trigger name of the entity, `order`. */
  readonly entity: string;
  readonly operation: Operation;
  /** The primary key as text; the values of a composite key joined with a comma. */
  readonly recordId: string;
  /** The after image; the last known one for a delete; `{}` where there is none. */
  readonly record: JsonRecord;
  /** The before image; `{}` for a create. */
  readonly prevRecord: JsonRecord;
  /** Property names whose value changed; for a create every property that is set. */
  readonly changed: readonly string[];
}
