import { isDeepStrictEqual } from 'node:util';
import { v7 as uuidv7 } from 'uuid';
import { ScriptNotFoundError } from '../errors/script.errors.js';
import type { CompiledScript } from '../protocol/script.js';
import * as statements from '../records/script.statements.js';
import type { ScriptRow } from '../records/script.statements.js';
import type { SqlClient, TenantLease } from '../tenancy/tenancy.js';
import type { CheckedDeploy } from './deploy-request.js';

/** What a change of the scripts led to; `changed: false` where everything already was as asked. */
export interface StoreResult {
  readonly changed: boolean;
  readonly newVersion: boolean;
  readonly row: ScriptRow;
}

/**
 * Runs `work` in a transaction that no other deploy of the tenant overlaps. Where it changed something the revision goes
 * up with it; where it did not, or threw, nothing is written.
 */
export async function changeScripts<T extends { readonly changed: boolean }>(
  lease: TenantLease,
  work: (sql: SqlClient) => Promise<T>,
): Promise<T> {
  const connection = await lease.sql.connect();
  let broken = true;
  try {
    await connection.query(statements.begin);
    try {
      await connection.query(statements.lockRevision);
      const result = await work(connection);
      if (result.changed) await connection.query(statements.bumpRevision);
      await connection.query(result.changed ? statements.commit : statements.rollback);
      broken = false;
      return result;
    } catch (error) {
      if (broken)
        broken = !(await connection.query(statements.rollback).then(
          () => true,
          () => false,
        ));
      throw error;
    }
  } finally {
    connection.release(broken);
  }
}

/** The script of that name with its current version; throws where there is none, or it is deleted. */
export async function findScript(sql: SqlClient, name: string): Promise<ScriptRow> {
  const row = await lookUp(sql, name);
  if (!row || row.deleted_at !== null) throw new ScriptNotFoundError(name);
  return row;
}

async function lookUp(sql: SqlClient, name: string): Promise<ScriptRow | undefined> {
  return (await sql.query<ScriptRow>(statements.scriptByName(name))).rows[0];
}

/** Writes a deploy; to be called inside `changeScripts`. */
export async function storeDeploy(
  sql: SqlClient,
  deploy: CheckedDeploy,
  compiled: CompiledScript,
): Promise<StoreResult> {
  const existing = await lookUp(sql, deploy.name);
  const next = { ...deploy, compiled };
  if (!existing) return storeNewScript(sql, next);
  const revived = existing.deleted_at !== null;
  const enabled = deploy.enabled ?? (revived || existing.enabled);
  if (!sameVersion(existing, deploy)) {
    const version = (await newestVersion(sql, existing.id)) + 1;
    await insertVersion(sql, existing.id, version, next);
    return putInForce(sql, { ...existing, version, enabled }, true);
  }
  if (!revived && enabled === existing.enabled && existing.compiled.hash === compiled.hash)
    return { changed: false, newVersion: false, row: existing };
  await sql.query(statements.recompileVersion(existing.id, existing.version, compiled));
  return putInForce(sql, { ...existing, enabled }, false);
}

/** Makes a version of the script current; to be called inside `changeScripts`. */
export async function putInForce(
  sql: SqlClient,
  target: Pick<ScriptRow, 'id' | 'name' | 'version' | 'enabled'>,
  newVersion = false,
): Promise<StoreResult> {
  await sql.query(statements.putInForce(target.id, target.version, target.enabled));
  return { changed: true, newVersion, row: await findScript(sql, target.name) };
}

type Deploy = CheckedDeploy & { readonly compiled: CompiledScript };

async function storeNewScript(sql: SqlClient, deploy: Deploy): Promise<StoreResult> {
  const id = uuidv7();
  await sql.query(statements.insertScript(id, deploy.name, deploy.enabled ?? true));
  await insertVersion(sql, id, 1, deploy);
  return { changed: true, newVersion: true, row: await findScript(sql, deploy.name) };
}

async function insertVersion(sql: SqlClient, scriptId: string, version: number, deploy: Deploy): Promise<void> {
  const { definition, language, source, compiled, createdBy } = deploy;
  await sql.query(statements.insertVersion({ scriptId, version, definition, language, source, compiled, createdBy }));
}

async function newestVersion(sql: SqlClient, scriptId: string): Promise<number> {
  return (await sql.query<{ version: number }>(statements.newestVersion(scriptId))).rows[0]?.version ?? 0;
}

function sameVersion(row: ScriptRow, deploy: CheckedDeploy): boolean {
  const definition: unknown = JSON.parse(JSON.stringify(deploy.definition));
  return (
    row.source === deploy.source && row.language === deploy.language && isDeepStrictEqual(row.definition, definition)
  );
}
