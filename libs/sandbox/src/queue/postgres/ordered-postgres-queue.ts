import { PostgresQueueBackend, type PgPool, type PostgresConnection } from 'bullmq';

/** Options of a worker, which BullMQ's backend takes from the options of whoever opens it. */
export type BackendOptions = ConstructorParameters<typeof PostgresQueueBackend>[2];

const RELEASE = `
update job set state = 'waiting', lock_token = null, locked_until_ms = null, stalled_marked = false
 where queue = $1 and id = $2 and state = 'active' and lock_token = $3
returning id`;

const RECOVER = `
update job
   set state = 'waiting', lock_token = null, locked_until_ms = null, stalled_marked = false,
       stalled_count = stalled_count + 1
 where queue = $1 and state = 'active' and locked_until_ms < $2::bigint
returning id`;

/** BullMQ's code for "the lock is missing". */
const LOCK_MISSING = -2;

/**
 * BullMQ's PostgreSQL queue, with a job keeping its place where it goes back to the line without having run. BullMQ 6.7
 * moves released and stalled jobs to the END of the line (`seq = nextval(...)`; on Redis they go to the front), so later
 * actions of the tenant would overtake them.
 */
export class OrderedPostgresQueue extends PostgresQueueBackend {
  constructor(
    connection: PostgresConnection,
    tenantId: string,
    options: BackendOptions,
    private readonly pool: PgPool,
  ) {
    super(connection, tenantId, options, false);
  }

  override async moveJobFromActiveToWait(jobId: string, token = '0'): Promise<number> {
    const { rows } = await this.pool.query(RELEASE, [this.queueName, jobId, token]);
    if (rows.length === 0) throw Object.assign(new LockMissing(`Job ${jobId} is not held`), { code: LOCK_MISSING });
    return 0;
  }

  /** The lock's end stands in the row, so one look is enough; on Redis it takes two. */
  override async moveStalledJobsToWait(): Promise<string[]> {
    const { rows } = await this.pool.query<{ id: string }>(RECOVER, [this.queueName, Date.now()]);
    return rows.map(({ id }) => id);
  }
}

/** What BullMQ's own backends throw has a numeric `code`, and no class of its own. */
class LockMissing extends Error {}
