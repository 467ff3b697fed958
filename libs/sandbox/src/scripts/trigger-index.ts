import type { Change, Operation } from '../protocol/change.js';
import type { CompiledScript, Language } from '../protocol/script.js';
import type { ScriptInForceRow } from '../records/script.statements.js';
import type { EntityCatalog } from './entity-catalog.js';
import type { ScriptDefinition, ScriptVersion } from './script.js';
import type { TriggerIndex } from './script-registry.js';
import { compileCondition, type ConditionTest } from './trigger-condition.js';

interface Listener {
  readonly script: ScriptVersion;
  readonly test: ConditionTest;
}

type Listeners = Partial<Record<Operation, Listener[]>>;

const NOTHING: readonly ScriptVersion[] = [];

/** The index of the scripts that were read; `rows` are in order of name. */
export function buildTriggerIndex(
  tenantId: string,
  rows: readonly ScriptInForceRow[],
  catalog: EntityCatalog,
): TriggerIndex {
  const scripts = new Map<string, ScriptVersion>();
  const byEntity = new Map<string, Listeners>();
  for (const row of rows) {
    if (row.id === null) continue;
    const script = scriptOfRow(row.id, row);
    scripts.set(script.scriptId, script);
    if (script.enabled) listen(byEntity, script, catalog);
  }
  const changedAt = performance.now() - Math.max(0, rows[0]?.changed_ms_ago ?? Number.POSITIVE_INFINITY);
  return new ReadTriggerIndex(tenantId, Number(rows[0]?.revision ?? 0), changedAt, scripts, byEntity);
}

function scriptOfRow(scriptId: string, row: ScriptInForceRow): ScriptVersion {
  return Object.freeze({
    ...(row.definition as unknown as ScriptDefinition),
    scriptId,
    name: row.name,
    version: row.version,
    enabled: row.enabled,
    language: row.language as Language,
    source: row.source,
    compiled: row.compiled as CompiledScript,
  });
}

function listen(byEntity: Map<string, Listeners>, script: ScriptVersion, catalog: EntityCatalog): void {
  const listeners = byEntity.get(script.entity) ?? {};
  byEntity.set(script.entity, listeners);
  const listener = { script, test: compileCondition(script.when, catalog.get(script.entity)) };
  for (const operation of script.on) (listeners[operation] ??= []).push(listener);
}

class ReadTriggerIndex implements TriggerIndex {
  readonly scripts: readonly ScriptVersion[];

  constructor(
    readonly tenantId: string,
    readonly revision: number,
    readonly changedAt: number,
    private readonly byId: ReadonlyMap<string, ScriptVersion>,
    private readonly byEntity: ReadonlyMap<string, Listeners>,
  ) {
    this.scripts = [...byId.values()];
  }

  listens(entity: string, operation?: Operation): boolean {
    const listeners = this.byEntity.get(entity);
    return listeners !== undefined && (operation === undefined || listeners[operation] !== undefined);
  }

  match(change: Change): readonly ScriptVersion[] {
    const listeners = this.byEntity.get(change.entity)?.[change.operation];
    if (!listeners) return NOTHING;
    return listeners.filter(({ test }) => test(change)).map(({ script }) => script);
  }

  script(scriptId: string): ScriptVersion | undefined {
    return this.byId.get(scriptId);
  }
}

/** About how many bytes an index holds: its texts, which are nearly all of it. */
export function weightOf(rows: readonly ScriptInForceRow[]): number {
  return rows.reduce((sum, row) => {
    const compiled = row.compiled as CompiledScript | null;
    const positions = compiled?.positions.kind === 'source-map' ? compiled.positions.mappings.length : 0;
    return sum + 500 + (row.source?.length ?? 0) + (compiled?.code.length ?? 0) + positions;
  }, 1_000);
}
