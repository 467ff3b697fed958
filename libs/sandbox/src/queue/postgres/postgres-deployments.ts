import type { PgPool } from 'bullmq';
import type { DeploymentLog } from '../queue-backend.js';

interface StateRow {
  readonly epoch: string;
  readonly deployments: string;
  readonly tenant_ids: string[] | null;
}

const SINCE = `
select epoch, deployments,
       (select array_agg(tenant_id) from sandbox_deployment where number > $1::bigint) as tenant_ids
  from sandbox_queue_state`;

/**
 * The log of deployments on PostgreSQL: each tenant once, with the number of its last announcement.
 * A cursor is `<epoch>:<number>`; the epoch is made with the tables, so `lost` means that they were made anew.
 */
export class PostgresDeployments implements DeploymentLog {
  constructor(private readonly pool: PgPool) {}

  async announce(tenantId: string): Promise<void> {
    await this.pool.query('select sandbox_announce($1)', [tenantId]);
  }

  async since(cursor: string | undefined): Promise<{ cursor: string; tenantIds: readonly string[]; lost: boolean }> {
    const [seenEpoch, seen] = cursor?.split(':') ?? [];
    const after = /^\d+$/.test(seen ?? '') ? Number(seen) : Number.MAX_SAFE_INTEGER;
    const { rows } = await this.pool.query<StateRow>(SINCE, [after]);
    const state = rows[0];
    if (!state) return { cursor: cursor ?? ':0', tenantIds: [], lost: true };
    const lost = cursor !== undefined && (seenEpoch !== state.epoch || Number(state.deployments) < after);
    const tenantIds = cursor === undefined || lost ? [] : (state.tenant_ids ?? []);
    return { cursor: `${state.epoch}:${state.deployments}`, tenantIds, lost };
  }
}
