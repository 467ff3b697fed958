/**
 * The statements on a tenant's scripts. All that change something begin by locking the one row of `sandbox_revision`, so
 * that deploys of a tenant come one after the other.
 */

/** A row of `scriptsInForce`: the tenant's revision, and one script (null where there is none, or nothing changed). */
export interface ScriptInForceRow {
  readonly revision: string;
  /** Milliseconds since any script was last changed; null where there never was one. */
  readonly changed_ms_ago: number | null;
  readonly id: string | null;
  readonly name: string;
  readonly enabled: boolean;
  readonly version: number;
  readonly definition: Record<string, unknown>;
  readonly language: string;
  readonly source: string;
  readonly compiled: unknown;
}

/** A script with one of its versions. */
export interface ScriptRow {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly current_version: number;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly deleted_at: Date | null;
  readonly version: number;
  readonly definition: Record<string, unknown>;
  readonly language: string;
  readonly source: string;
  readonly compiled: { readonly hash?: string };
  readonly created_by: string | null;
  readonly version_created_at: Date;
}

/** A version to be written. */
export interface NewVersion {
  readonly scriptId: string;
  readonly version: number;
  readonly definition: unknown;
  readonly language: string;
  readonly source: string;
  readonly compiled: unknown;
  readonly createdBy: string | null;
}

/**
 * The current versions of every script, in one snapshot with the revision: one round trip both to read everything
 * (`knownRevision` -1) and to find out that nothing changed since a known revision (one row with a null id).
 */
export const scriptsInForce = (knownRevision: number) => ({
  name: 'sandbox_scripts_in_force',
  text: `select r.revision,
  (select extract(epoch from clock_timestamp() - max(updated_at))::float8 * 1000 from sandbox_script) as changed_ms_ago, s.id, s.name, s.enabled, v.version, v.definition, v.language, v.source, v.compiled
from sandbox_revision r
left join (sandbox_script s join sandbox_script_version v on v.script_id = s.id and v.version = s.current_version)
  on s.deleted_at is null and r.revision <> $1
order by s.name collate "C"`,
  values: [knownRevision],
});

export const begin = { text: 'begin' };
export const commit = { text: 'commit' };
export const rollback = { text: 'rollback' };

/** Whoever holds this row deploys; the others wait. */
export const lockRevision = { text: 'select revision from sandbox_revision for update' };

export const bumpRevision = { text: 'update sandbox_revision set revision = revision + 1' };

const COLUMNS = `s.id, s.name, s.enabled, s.current_version, s.created_at, s.updated_at, s.deleted_at,
  v.version, v.definition, v.language, v.source, v.compiled, v.created_by, v.created_at as version_created_at`;

/** A script with its current version, deleted or not. */
export const scriptByName = (name: string) => ({
  text: `select ${COLUMNS} from sandbox_script s
join sandbox_script_version v on v.script_id = s.id and v.version = s.current_version where s.name = $1`,
  values: [name],
});

/** Every script that is not deleted, with its current version, in order of name. */
export const allScripts = () => ({
  text: `select ${COLUMNS} from sandbox_script s
join sandbox_script_version v on v.script_id = s.id and v.version = s.current_version
where s.deleted_at is null order by s.name collate "C"`,
});

/** Every version of a script, deleted or not, the newest first. */
export const versionsOf = (name: string) => ({
  text: `select ${COLUMNS} from sandbox_script s
join sandbox_script_version v on v.script_id = s.id where s.name = $1 order by v.version desc`,
  values: [name],
});

export const insertScript = (id: string, name: string, enabled: boolean) => ({
  text: 'insert into sandbox_script (id, name, enabled, current_version) values ($1, $2, $3, 1)',
  values: [id, name, enabled],
});

export const insertVersion = (version: NewVersion) => ({
  text: `insert into sandbox_script_version (script_id, version, definition, language, source, compiled, created_by)
values ($1, $2, $3, $4, $5, $6, $7)`,
  values: [
    version.scriptId,
    version.version,
    JSON.stringify(version.definition),
    version.language,
    version.source,
    JSON.stringify(version.compiled),
    version.createdBy,
  ],
});

/** The same source, compiled by a newer compiler. */
export const recompileVersion = (scriptId: string, version: number, compiled: unknown) => ({
  text: 'update sandbox_script_version set compiled = $3 where script_id = $1 and version = $2',
  values: [scriptId, version, JSON.stringify(compiled)],
});

/** Makes a version current, enables or disables, and revives a deleted script. */
export const putInForce = (scriptId: string, version: number, enabled: boolean) => ({
  text: `update sandbox_script set current_version = $2, enabled = $3, updated_at = now(), deleted_at = null
where id = $1`,
  values: [scriptId, version, enabled],
});

/** The highest version a script ever had. */
export const newestVersion = (scriptId: string) => ({
  text: 'select max(version) as version from sandbox_script_version where script_id = $1',
  values: [scriptId],
});

/** Deletes a script; its versions and actions stay as history. */
export const markDeleted = (scriptId: string) => ({
  text: 'update sandbox_script set deleted_at = now(), updated_at = now(), enabled = false where id = $1',
  values: [scriptId],
});
