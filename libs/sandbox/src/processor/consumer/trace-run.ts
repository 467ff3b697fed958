import type { DeferredCall } from '../../protocol/bridge-call.js';
import type { TracedSpan } from '../../tracing/traced-span.js';
import type { Tracing } from '../../tracing/tracing.js';
import type { Delivery } from '../turns/turns.js';
import type { AttemptOutcome, RunnableAction } from './run-attempt.js';

/**
 * Does `attempt` in a span that continues the trace of the write which asked for the action. Calls of the script over the
 * bridge are spans below it.
 */
export async function traceRun(
  tracing: Tracing,
  { tenantId, job, attemptsMade }: Delivery,
  action: RunnableAction,
  attempt: (action: RunnableAction) => Promise<AttemptOutcome>,
): Promise<AttemptOutcome> {
  const { script, change } = action;
  const attributes = {
    'sandbox.tenant.id': tenantId,
    'sandbox.action.id': job.actionId,
    'sandbox.attempt': attemptsMade + 1,
    'sandbox.script.name': script.name,
    'sandbox.script.version': script.version,
    'sandbox.entity': change.entity,
    'sandbox.operation': change.operation,
  };
  const span = tracing.start('sandbox run', 'consumer', attributes, job.trace);
  if (!span) return await attempt(action);
  const outcome = await span.within(() => attempt({ ...action, span }));
  span.end({ 'sandbox.outcome': nameOf(outcome) }, errorOf(outcome));
  return outcome;
}

/** Does `commit` in a span below the run's. The calls that waited for the end of the run are made here, all at once. */
export async function traceCommit<T>(
  run: TracedSpan | undefined,
  deferred: readonly DeferredCall[],
  commit: () => Promise<T>,
): Promise<T> {
  if (!run) return await commit();
  return await run.around('sandbox commit', async (span) => {
    const calls = deferred.map(({ method }) => span.child(`sandbox bridge ${method}`, { 'sandbox.deferred': true }));
    try {
      return await commit();
    } finally {
      for (const call of calls) call.end();
    }
  });
}

function nameOf(outcome: AttemptOutcome): string {
  return outcome.kind === 'finished' ? outcome.result.outcome : outcome.kind;
}

function errorOf(outcome: AttemptOutcome): unknown {
  if (outcome.kind === 'fault') return outcome.error;
  if (outcome.kind !== 'finished' && outcome.kind !== 'again') return undefined;
  return outcome.result.error;
}
