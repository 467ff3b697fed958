import {
  claimEmailsStatement,
  type ClaimedEmail,
  giveBackEmailsStatement,
  keepEmailsStatement,
} from '../../records/email.statements.js';
import type { SqlClient, SqlStatement } from '../../tenancy/tenancy.js';

/** Mails taken at once. */
const BATCH = 20;
/** Milliseconds that a mail stays taken without being kept: how long a crash of its sender delays it. */
const LEASE_MS = 15_000;

/**
 * Mails of one tenant that this process has taken to send. A mail server may take minutes for one, a crash should cost
 * the others seconds: so the lease is short, and kept up as long as this process lives.
 */
export class MailBatch {
  private readonly left: Set<string>;
  private readonly timer: NodeJS.Timeout;
  private keeping: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly sql: SqlClient,
    readonly emails: readonly ClaimedEmail[],
    leaseMs: number,
  ) {
    this.left = new Set(emails.map(({ id }) => id));
    this.timer = setInterval(() => this.keep(leaseMs), leaseMs / 3);
    this.timer.unref();
  }

  /** Takes what is due. */
  static async take(sql: SqlClient, leaseMs = LEASE_MS): Promise<MailBatch> {
    const { rows } = await sql.query<ClaimedEmail>(claimEmailsStatement(BATCH, leaseMs));
    return new MailBatch(sql, rows, leaseMs);
  }

  /** Whether there may be more where these came from. */
  get full(): boolean {
    return this.emails.length === BATCH;
  }

  /** Writes what became of a mail; it is not kept any longer. */
  async settle(emailId: string, statement: SqlStatement): Promise<void> {
    this.left.delete(emailId);
    // A lease that is being renewed just now must not come after, and over, the time of the next attempt.
    await this.keeping;
    await this.sql.query(statement);
  }

  /** Gives back what was not settled. Never rejects: the lease runs out by itself. */
  async end(): Promise<void> {
    clearInterval(this.timer);
    await this.keeping;
    if (this.left.size > 0) await this.sql.query(giveBackEmailsStatement([...this.left])).catch(() => undefined);
  }

  private keep(leaseMs: number): void {
    if (this.left.size === 0) return;
    this.keeping = this.sql.query(keepEmailsStatement([...this.left], leaseMs)).catch(() => undefined);
  }
}
