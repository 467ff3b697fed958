import { claimStatement, renewStatement, unclaimStatement } from '../../records/execution.statements.js';
import { claimInOrder, lockOrder, type OrderedClaimRow, type OrderKeys } from '../../records/order.statements.js';
import type { TenantLease } from '../../tenancy/tenancy.js';
import { RunFaultSignal } from '../bridge/guest-failure.js';

/** Milliseconds a claim holds without being renewed: how long a crash delays the next attempt of such a run. */
const LEASE_MS = 30_000;

/** How a claim is to be made. */
export interface ClaimOptions {
  /** Milliseconds it holds without being renewed. Default 30,000. */
  readonly leaseMs?: number;
  /** Whether `take` asks that the action be first in its line. Default false. */
  readonly inLine?: boolean;
}

/**
 * The right to act outside the database for an action: a lease on its row, committed before the first such act and
 * renewed while the run goes on. The finish of the run names the claimed attempt, so it fails once the lease was lost.
 */
export class Claim {
  private held: number | undefined;
  private timer: NodeJS.Timeout | undefined;
  private readonly leaseMs: number;

  constructor(
    private readonly lease: TenantLease,
    private readonly actionId: string,
    private readonly options: ClaimOptions = {},
  ) {
    this.leaseMs = options.leaseMs ?? LEASE_MS;
  }

  /** The attempt that was claimed; `undefined` while nothing is. */
  get attempt(): number | undefined {
    return this.held;
  }

  /**
   * Takes the lease, once. Throws a `RunFaultSignal` (`superseded`) where the action is finished, leased elsewhere, or not
   * first in its line.
   */
  readonly take = async (): Promise<void> => {
    if (this.held !== undefined) return;
    const claim = claimStatement(this.actionId, this.leaseMs, this.options.inLine);
    const { rows } = await this.lease.sql.query<{ attempt: number }>(claim);
    if (!rows[0]) throw new RunFaultSignal({ kind: 'superseded' });
    this.hold(rows[0].attempt);
  };

  /**
   * Takes the lease when nothing that the action must keep apart from is unfinished before it, or at work. `waits`: the row
   * notes what for. `superseded`: finished, or leased elsewhere.
   */
  async takeInOrder(keys: OrderKeys): Promise<'taken' | 'waits' | 'superseded'> {
    const claim = claimInOrder(this.actionId, this.leaseMs, keys);
    const answers = await this.lease.sql.transaction([lockOrder, claim]);
    const row = answers?.[1]?.rows[0] as OrderedClaimRow | undefined;
    if (!row) return 'superseded';
    if (row.waits_for !== null) return 'waits';
    this.hold(row.attempt);
    return 'taken';
  }

  /** Stops renewing; the finish of the run has ended the lease. */
  end(): void {
    clearInterval(this.timer);
  }

  /** Gives the lease back at once, for the run to be repeated. Never rejects: the lease runs out by itself. */
  async giveBack(): Promise<void> {
    this.end();
    if (this.held === undefined) return;
    await this.lease.sql.query(unclaimStatement(this.actionId, this.held)).catch(() => undefined);
    this.held = undefined;
  }

  private hold(attempt: number): void {
    this.held = attempt;
    this.timer = setInterval(() => void this.renew(), this.leaseMs / 3);
    this.timer.unref();
  }

  /** A renewal that fails is not the run's concern: its finish finds out whether the lease was lost. */
  private async renew(): Promise<void> {
    await this.lease.sql.query(renewStatement(this.actionId, this.held as number, this.leaseMs)).catch(() => undefined);
  }
}
