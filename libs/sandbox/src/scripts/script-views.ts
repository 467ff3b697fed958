import type { Language } from '../protocol/script.js';
import type { ScriptRow } from '../records/script.statements.js';
import type { ScriptDefinition } from './script.js';

/** A deployed script, its current version, without the source. */
export interface ScriptSummary extends ScriptDefinition {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
  /** The version in force. */
  readonly version: number;
  readonly language: Language;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Who deployed the version in force, where they said so. */
  readonly createdBy: string | null;
}

/** A deployed script with the source of its current version. */
export interface ScriptDetail extends ScriptSummary {
  readonly source: string;
}

/** What a deploy led to. */
export interface DeployedScript extends ScriptDetail {
  /** False where definition and source were those already in force. */
  readonly newVersion: boolean;
}

/** One version of a script. */
export interface ScriptVersionDetail extends ScriptDefinition {
  readonly name: string;
  readonly version: number;
  /** Whether it is the one in force. */
  readonly current: boolean;
  readonly language: Language;
  readonly source: string;
  readonly createdBy: string | null;
  readonly createdAt: Date;
}

/** A row as a summary. */
export function summaryOf(row: ScriptRow): ScriptSummary {
  return {
    id: row.id,
    name: row.name,
    enabled: row.enabled,
    version: row.version,
    ...definitionOf(row),
    language: row.language as Language,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    createdBy: row.created_by,
  };
}

/** A row with its source. */
export function detailOf(row: ScriptRow): ScriptDetail {
  return { ...summaryOf(row), source: row.source };
}

/** A row as a version. */
export function versionOf(row: ScriptRow): ScriptVersionDetail {
  return {
    name: row.name,
    version: row.version,
    current: row.version === row.current_version && row.deleted_at === null,
    ...definitionOf(row),
    language: row.language as Language,
    source: row.source,
    createdBy: row.created_by,
    createdAt: row.version_created_at,
  };
}

/** The definition of a row's version. */
export function definitionOf(row: ScriptRow): ScriptDefinition {
  return row.definition as unknown as ScriptDefinition;
}
