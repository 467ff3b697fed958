import type { Change, JsonRecord } from '../../protocol/change.js';
import type { EntityEntry, Field } from '../../scripts/entity-catalog.js';

/** A column to be set; the value is the checked parameter. */
export interface Assignment {
  readonly field: Field;
  readonly value: unknown;
}

/** One validated write of one record. */
export interface Write {
  readonly op: 'create' | 'update' | 'delete';
  readonly entry: EntityEntry;
  /** The record's id as the script gave it, for messages; empty for a create. */
  readonly id: string;
  /** Parameters of the primary key, in the entry's order; empty for a create. */
  readonly key: readonly unknown[];
  readonly assignments: readonly Assignment[];
  /** Added to what is there, in the database. */
  readonly increments: readonly Assignment[];
  /** What the version column must hold. */
  readonly expectedVersion?: number;
}

/** One request's answer, as the script gets it. */
export interface WriteResult {
  readonly op: 'create' | 'update' | 'delete';
  readonly entity: string;
  /** As `record.id` would be: a number or text; text joined with commas for a composite key. */
  readonly id: unknown;
  /** 1, or 0 where there was nothing to delete. */
  readonly affected: number;
  /** The readable fields after the write; null after a delete. */
  readonly record: JsonRecord | null;
}

/** What a write did: the answer, and the change that may fire other scripts (none where nothing changed). */
export interface WriteOutcome {
  readonly result: WriteResult;
  readonly change: Change | undefined;
}
