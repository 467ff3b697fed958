import { randomUUID } from 'node:crypto';
import type { DeploymentLog } from '../queue-backend.js';
import type { SandboxRedis } from './scripts.js';

/** Where the log of deployments lives. */
export interface DeploymentKeys {
  readonly log: string;
  readonly counter: string;
  readonly epoch: string;
}

/**
 * The log of deployments on Redis: a sorted set of tenants by the number of their last announcement. It holds each tenant
 * once, so it is never trimmed; `lost` means that Redis was flushed, or fell back to older data.
 * A cursor is `<epoch>:<number>`.
 */
export class RedisDeployments implements DeploymentLog {
  constructor(
    private readonly commands: SandboxRedis,
    private readonly keys: DeploymentKeys,
  ) {}

  async announce(tenantId: string): Promise<void> {
    const { log, counter, epoch } = this.keys;
    await this.commands.sandboxAnnounce(log, counter, epoch, tenantId, randomUUID());
  }

  async since(cursor: string | undefined): Promise<{ cursor: string; tenantIds: readonly string[]; lost: boolean }> {
    const [seenEpoch, seen] = cursor === undefined ? [] : splitCursor(cursor);
    const { log, counter, epoch } = this.keys;
    const answer = await this.commands.sandboxSince(log, counter, epoch, seen ?? '', randomUUID());
    const [nowEpoch = '', now = '0', ...tenantIds] = answer;
    const lost = seen !== undefined && (seenEpoch !== nowEpoch || Number(now) < Number(seen));
    return { cursor: `${nowEpoch}:${now}`, tenantIds: lost ? [] : tenantIds, lost };
  }
}

function splitCursor(cursor: string): [epoch: string, number: string] {
  const at = cursor.lastIndexOf(':');
  const number = cursor.slice(at + 1);
  return [cursor.slice(0, at), /^\d+$/.test(number) ? number : '0'];
}
