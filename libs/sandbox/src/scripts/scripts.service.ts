import { Inject, Injectable, Optional } from '@nestjs/common';
import { SandboxError } from '../errors/sandbox-error.js';
import {
  DryRunUnavailableError,
  ScriptNotFoundError,
  ScriptSyntaxError,
  VersionNotFoundError,
} from '../errors/script.errors.js';
import type { Limits } from '../protocol/limits.js';
import type { ScriptError } from '../protocol/run.js';
import type { CompiledScript, EngineId, Language } from '../protocol/script.js';
import { allScripts, markDeleted, type ScriptRow, versionsOf } from '../records/script.statements.js';
import { SANDBOX_OPTIONS, type SandboxOptions } from '../sandbox.options.js';
import { TENANCY, type SqlClient, type Tenancy, type TenantLease } from '../tenancy/tenancy.js';
import { SCRIPT_COMPILER, type ScriptCompiler } from './compiler/script-compiler.js';
import {
  assertKnownProperties,
  assertSourceLength,
  checkDeploy,
  checkEngine,
  checkEntity,
  checkLanguage,
  checkScriptLimits,
  checkText,
  type DeployRequest,
} from './deploy-request.js';
import { DeploymentAnnouncer } from './deployment-announcer.js';
import { type PretendedChange, pretendChange } from './dry-run-change.js';
import { DRY_RUNNER, type DryRunner, type DryRunReport } from './dry-runner.js';
import { effectiveLimits } from './effective-limits.js';
import { EntityCatalog } from './entity-catalog.js';
import { ScriptRegistryService } from './script-registry.service.js';
import { HOST_METHODS, scriptTypes } from './script-types.js';
import { changeScripts, findScript, putInForce, storeDeploy, type StoreResult } from './script-store.js';
import {
  definitionOf,
  type DeployedScript,
  detailOf,
  type ScriptDetail,
  type ScriptSummary,
  type ScriptVersionDetail,
  summaryOf,
  versionOf,
} from './script-views.js';

/** A source to be checked, without deploying it. */
export interface CheckRequest {
  readonly source: string;
  /** Default `javascript`. */
  readonly language?: Language;
  /** Default: the host's. */
  readonly engine?: EngineId;
}

/** Whether a source parses; `error` has line, column and frame. */
export type CheckReport = { readonly ok: true } | { readonly ok: false; readonly error: ScriptError };

/** A script to be tried: a deployed one by its name, a source, or a new source for a deployed one. */
export interface DryRun extends PretendedChange {
  readonly name?: string;
  readonly source?: string;
  readonly language?: Language;
  readonly engine?: EngineId;
  /** Default: that of the named script. */
  readonly entity?: string;
  readonly limits?: Partial<Limits>;
  readonly userId?: string | null;
}

const CHECK_KEYS: readonly (keyof CheckRequest)[] = ['source', 'language', 'engine'];
const DRY_RUN_KEYS: readonly (keyof DryRun)[] = [
  'name',
  'source',
  'language',
  'engine',
  'entity',
  'limits',
  'userId',
  'operation',
  'recordId',
  'record',
  'prevRecord',
];

/**
 * The tenants' scripts: deploy, look at, try, switch on and off. Whatever changes them is in force in this process at
 * once and in every other within a second. Every method rejects with `UnknownTenantError` or `InvalidTenantIdError` for
 * a tenant that there is not.
 */
@Injectable()
export class ScriptsService {
  constructor(
    @Inject(TENANCY) private readonly tenancy: Tenancy,
    @Inject(SANDBOX_OPTIONS) private readonly options: SandboxOptions,
    @Inject(SCRIPT_COMPILER) private readonly compiler: ScriptCompiler,
    @Inject(ScriptRegistryService) private readonly registry: ScriptRegistryService,
    @Inject(DeploymentAnnouncer) private readonly announcer: DeploymentAnnouncer,
    @Optional() @Inject(DRY_RUNNER) private readonly dryRunner?: DryRunner,
    @Optional() @Inject(HOST_METHODS) private readonly hostMethods?: () => readonly string[],
  ) {}

  /**
   * Deploys a script: a new one, or a new version of the one of that name (a deleted one comes back). The same
   * definition and source as those in force make no new version. Nothing is written unless everything makes sense:
   * rejects with `InvalidScriptError`, `UnknownTriggerEntityError`, `LimitAboveCeilingError`, `SourceTooLongError` or
   * `ScriptSyntaxError`.
   */
  deploy(tenantId: string, request: DeployRequest): Promise<DeployedScript> {
    return this.withLease(tenantId, async (lease) => {
      const deploy = checkDeploy(request, EntityCatalog.of(lease.dataSource), this.options);
      const { name, definition, source, language } = deploy;
      assertSourceLength(source, effectiveLimits(this.options, tenantId, definition.limits).sourceBytes);
      const compiled = await this.compile(name, { source, language, engine: definition.engine });
      const result = await this.change(lease, (sql) => storeDeploy(sql, deploy, compiled));
      return { ...detailOf(result.row), newVersion: result.newVersion };
    });
  }

  /** Every script of the tenant, in order of name. */
  list(tenantId: string): Promise<ScriptSummary[]> {
    return this.withLease(tenantId, async ({ sql }) => (await sql.query<ScriptRow>(allScripts())).rows.map(summaryOf));
  }

  /** One script; rejects with `ScriptNotFoundError`. */
  get(tenantId: string, name: string): Promise<ScriptDetail> {
    return this.withLease(tenantId, async ({ sql }) => detailOf(await findScript(sql, name)));
  }

  /** Lets a script fire. */
  enable(tenantId: string, name: string): Promise<ScriptDetail> {
    return this.setEnabled(tenantId, name, true);
  }

  /** Stops a script: committed writes fire it no more. What was asked for before still runs; `cancel` it where it must not. */
  disable(tenantId: string, name: string): Promise<ScriptDetail> {
    return this.setEnabled(tenantId, name, false);
  }

  /** Deletes a script. Its versions and actions stay as history, and deploying the name again revives it. */
  async remove(tenantId: string, name: string): Promise<void> {
    await this.withLease(tenantId, (lease) =>
      this.change(lease, async (sql) => {
        const row = await findScript(sql, name);
        await sql.query(markDeleted(row.id));
        return { changed: true, newVersion: false, row };
      }),
    );
  }

  /** Every version of a script, the newest first; those of a deleted one too. */
  versions(tenantId: string, name: string): Promise<ScriptVersionDetail[]> {
    return this.withLease(tenantId, async ({ sql }) => (await this.versionRows(sql, name)).map(versionOf));
  }

  /** Puts an earlier version in force: the given one, or the last before the current one. */
  rollback(tenantId: string, name: string, version?: number): Promise<ScriptDetail> {
    return this.withLease(tenantId, async (lease) => {
      const result = await this.change(lease, async (sql) => {
        const current = await findScript(sql, name);
        const rows = await this.versionRows(sql, name);
        const target = rows.find((row) =>
          version === undefined ? row.version < current.version : row.version === version,
        );
        if (!target)
          throw new VersionNotFoundError(
            name,
            version,
            rows.map((row) => row.version),
          );
        if (target.version === current.version) return { changed: false, newVersion: false, row: current };
        return putInForce(sql, target);
      });
      return detailOf(result.row);
    });
  }

  /** Whether a source parses, and where not. */
  check(tenantId: string, request: CheckRequest): Promise<CheckReport> {
    return this.withLease(tenantId, async () => {
      assertKnownProperties(request, CHECK_KEYS);
      const source = checkText('source', request.source);
      assertSourceLength(source, effectiveLimits(this.options, tenantId).sourceBytes);
      const engine = checkEngine(request.engine) ?? this.options.engine;
      const result = await this.compiler.compile({ source, language: checkLanguage(request.language), engine });
      return result.ok ? { ok: true } : { ok: false, error: result.error };
    });
  }

  /**
   * Runs a script on a record with everything it does rolled back, and tells what it would have done. Rejects with
   * `DryRunUnavailableError` in a process without a pool, and as `deploy` does.
   */
  dryRun(tenantId: string, request: DryRun): Promise<DryRunReport> {
    return this.withLease(tenantId, async (lease) => {
      const { dryRunner } = this;
      if (!dryRunner) throw new DryRunUnavailableError();
      assertKnownProperties(request, DRY_RUN_KEYS);
      const row = request.name === undefined ? undefined : await findScript(lease.sql, request.name);
      const definition = row && definitionOf(row);
      const entry = checkEntity(request.entity ?? definition?.entity, EntityCatalog.of(lease.dataSource));
      const change = await pretendChange(lease, entry, request, definition?.on ?? []);
      return dryRunner.dryRun({
        lease,
        scriptId: row?.id ?? null,
        scriptName: row?.name ?? '(draft)',
        ...(await this.draft(tenantId, request, row)),
        change,
        userId: request.userId ?? null,
      });
    });
  }

  /** TypeScript declarations of what the tenant's scripts see; `entity` narrows `context` to one that fires them. */
  types(tenantId: string, entity?: string): Promise<string> {
    return this.withLease(tenantId, async ({ dataSource }) => {
      const catalog = EntityCatalog.of(dataSource);
      const methods = this.hostMethods?.() ?? [];
      return scriptTypes(
        catalog,
        entity === undefined ? { methods } : { methods, entity: checkEntity(entity, catalog).name },
      );
    });
  }

  /** What a dry run runs: the request's own source, else the deployed one. */
  private async draft(
    tenantId: string,
    request: DryRun,
    row: ScriptRow | undefined,
  ): Promise<{ source: string; compiled: CompiledScript; limits: Limits }> {
    const definition = row && definitionOf(row);
    const limits = effectiveLimits(this.options, tenantId, {
      ...definition?.limits,
      ...checkScriptLimits(request.limits, this.options),
    });
    if (row && request.source === undefined && request.engine === undefined)
      return { source: row.source, compiled: row.compiled as CompiledScript, limits };
    const source = checkText('source', request.source ?? row?.source);
    assertSourceLength(source, limits.sourceBytes);
    const language = checkLanguage(request.language ?? row?.language);
    const engine = checkEngine(request.engine) ?? definition?.engine;
    return { source, compiled: await this.compile(row?.name ?? '(draft)', { source, language, engine }), limits };
  }

  private setEnabled(tenantId: string, name: string, enabled: boolean): Promise<ScriptDetail> {
    return this.withLease(tenantId, async (lease) => {
      const result = await this.change(lease, async (sql) => {
        const row = await findScript(sql, name);
        if (row.enabled === enabled) return { changed: false, newVersion: false, row };
        return putInForce(sql, { ...row, enabled });
      });
      return detailOf(result.row);
    });
  }

  private async versionRows(sql: SqlClient, name: string): Promise<ScriptRow[]> {
    const { rows } = await sql.query<ScriptRow>(versionsOf(name));
    if (rows.length === 0) throw new ScriptNotFoundError(name);
    return rows;
  }

  private async compile(
    name: string,
    request: { source: string; language: Language; engine: EngineId | undefined },
  ): Promise<CompiledScript> {
    const engine = request.engine ?? this.options.engine;
    const result = await this.compiler.compile({ ...request, engine });
    if (!result.ok) throw new ScriptSyntaxError(name, result.error);
    return result.script;
  }

  /** Changes the scripts and says so to this process and to all others. */
  private async change(lease: TenantLease, work: (sql: SqlClient) => Promise<StoreResult>): Promise<StoreResult> {
    try {
      const result = await changeScripts(lease, work);
      if (result.changed) await this.inForce(lease.tenantId);
      return result;
    } catch (error) {
      // A connection that broke at the commit leaves it open whether the change was made.
      if (!(error instanceof SandboxError)) await this.inForce(lease.tenantId);
      throw error;
    }
  }

  private inForce(tenantId: string): Promise<void> {
    this.registry.invalidate(tenantId);
    return this.announcer.announce(tenantId);
  }

  private async withLease<T>(tenantId: string, work: (lease: TenantLease) => Promise<T>): Promise<T> {
    const lease = await this.tenancy.lease(tenantId);
    try {
      return await work(lease);
    } finally {
      lease.release();
    }
  }
}
