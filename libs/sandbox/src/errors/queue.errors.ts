import { describeValue, SandboxError } from './sandbox-error.js';

/** The queue's server did not answer in time. */
export class QueueUnavailableError extends SandboxError {
  readonly code = 'SANDBOX_QUEUE_UNAVAILABLE';
  constructor(kind: 'redis' | 'postgres', what: string, waitedMs: number, cause?: unknown) {
    super(
      `The ${kind === 'redis' ? 'Redis' : 'PostgreSQL'} queue could not ${what} (waited ${waitedMs} ms): check that the server named by the "queue.connection" option is up and can be reached. Actions are safe in the tenants' databases and are queued again once it is back.`,
      { kind, what, waitedMs },
      cause,
    );
  }
}

/** Neither the `queue` option nor the host's BullMQ module says where the queues are. */
export class QueueNotConfiguredError extends SandboxError {
  readonly code = 'SANDBOX_QUEUE_NOT_CONFIGURED';
  constructor(found: string) {
    super(
      `No queue is configured (${found}): set the "queue.connection" option, or import BullModule.forRoot({ connection }) from @nestjs/bullmq in the host.`,
      { found },
    );
  }
}

/** An option of the queue makes no sense. */
export class InvalidQueueOptionError extends SandboxError {
  readonly code = 'SANDBOX_INVALID_QUEUE_OPTION';
  constructor(option: string, value: unknown, remedy: string) {
    super(`Option "${option}" cannot be ${describeValue(value)}: ${remedy}.`, { option, value });
  }
}

/** A package that the chosen queue needs is not installed. */
export class QueueDriverMissingError extends SandboxError {
  readonly code = 'SANDBOX_QUEUE_DRIVER_MISSING';
  constructor(packageName: string, cause?: unknown) {
    super(`The queue needs the package "${packageName}": npm install ${packageName}.`, { packageName }, cause);
  }
}

/** A job's payload is not an `ActionJob`: something else writes to the tenant's queue. */
export class MalformedJobError extends SandboxError {
  readonly code = 'SANDBOX_MALFORMED_JOB';
  constructor(tenantId: string, jobId: string, problem: string) {
    super(
      `Job ${describeValue(jobId)} of tenant ${describeValue(tenantId)} is not an action (${problem}) and was removed: let nothing but this library add jobs to the tenants' queues. If there is an action of that id, it is queued again.`,
      { tenantId, jobId, problem },
    );
  }
}

/** Reason of a delivery's aborted signal: another process may have the job by now. */
export class JobLockLostError extends SandboxError {
  readonly code = 'SANDBOX_JOB_LOCK_LOST';
  constructor(tenantId: string, actionId: string) {
    super(
      `The lock of action ${describeValue(actionId)} of tenant ${describeValue(tenantId)} was lost: this process could not renew it in time (a blocked event loop, or the queue was away). The action is delivered again; commit nothing for it.`,
      { tenantId, actionId },
    );
  }
}

/** Reason of a delivery's aborted signal: the processor is shutting down and waits no longer. */
export class TurnsStoppedError extends SandboxError {
  readonly code = 'SANDBOX_TURNS_STOPPED';
  constructor(drainMs: number) {
    super(
      `The processor is shutting down and the run did not end within ${drainMs} ms: its job went back to the queue. Raise "processing.drainMs" if runs are cut off too often.`,
      { drainMs },
    );
  }
}
