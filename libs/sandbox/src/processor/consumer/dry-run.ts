import { Inject, Injectable } from '@nestjs/common';
import { SandboxEvents } from '../../events/sandbox-events.js';
import type { JsonRecord } from '../../protocol/change.js';
import type { RunResult } from '../../protocol/run.js';
import type { DryRunner, DryRunReport, DryRunRequest } from '../../scripts/dry-runner.js';
import { BridgeSession } from '../bridge/bridge-session.js';
import { BridgeServices } from '../bridge/bridge-services.js';
import { RunEffects } from '../effects/run-effects.js';
import { type PoolResult, SCRIPT_POOL, type ScriptPool } from '../pool/script-pool.js';

/** Runs a script in a transaction of its tenant that is always rolled back, and tells what it would have done. */
@Injectable()
export class PoolDryRunner implements DryRunner {
  constructor(
    @Inject(SCRIPT_POOL) private readonly pool: ScriptPool,
    @Inject(BridgeServices) private readonly services: BridgeServices,
    @Inject(SandboxEvents) private readonly events: SandboxEvents,
  ) {}

  /** Never rejects for anything the script does. A sequence it drew numbers from keeps them drawn. */
  async dryRun(request: DryRunRequest): Promise<DryRunReport> {
    const effects = new RunEffects(request.lease, request.limits);
    const session = this.session(request, effects);
    try {
      const { deferred: _, ...result } = await this.run(request, session);
      return { ...result, ...faultOf(session), ...diffOf(effects) };
    } finally {
      await effects.rollback();
    }
  }

  private session({ lease, userId, limits }: DryRunRequest, effects: RunEffects): BridgeSession {
    const { tenantId } = lease;
    return new BridgeSession({
      tenantId,
      userId,
      actionId: null,
      depth: 0,
      limits,
      effects,
      services: this.services,
      dryRun: true,
      claim: () => Promise.resolve(),
      onHostFault: (method, error) =>
        this.events.emit('background.error', { where: `bridge: ${method}`, tenantId, error }),
    });
  }

  /** Interactive from the first write: its error is seen where it happens, and there is nothing to be committed. */
  private async run(request: DryRunRequest, session: BridgeSession): Promise<PoolResult> {
    const { record, prevRecord, changed, entity, operation, recordId } = request.change;
    const action = {
      id: null,
      script: request.scriptName,
      entity,
      operation,
      recordId,
      attempt: 1,
      depth: 0,
      dryRun: true,
    };
    return await this.pool.run({
      script: request.compiled,
      source: request.source,
      tenantId: request.lease.tenantId,
      input: { entity, operation, record, prevRecord, changed, userId: request.userId, action },
      limits: request.limits,
      methods: ['query', 'execute', 'sendEmail', ...this.services.names()],
      pureMethods: this.services.pureNames(),
      deferred: false,
      onCall: session.onCall,
    });
  }
}

/** What the host had to end the run for, in place of what the pool made of it. */
function faultOf({ fault }: BridgeSession): Partial<RunResult> {
  if (!fault) return {};
  if (fault.kind === 'expired') {
    const { name, message, code } = fault.error;
    return { outcome: 'exceededWall', error: { name, message, code } };
  }
  const message = 'The dry run met another transaction, or trouble of the database. Try it again.';
  return { outcome: 'internalError', error: { name: 'InternalError', message, code: 'SANDBOX_INTERNAL_ERROR' } };
}

function diffOf(effects: RunEffects): Pick<DryRunReport, 'changes' | 'emails'> {
  return {
    changes: effects.changes.map(({ entity, operation, recordId, record, prevRecord }) => ({
      entity,
      operation,
      recordId,
      before: operation === 'create' ? null : prevRecord,
      after: operation === 'delete' ? null : record,
    })),
    emails: effects.emails.map(({ message }) => ({ ...message }) as JsonRecord),
  };
}
