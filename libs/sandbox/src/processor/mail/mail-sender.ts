import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { SandboxEvents } from '../../events/sandbox-events.js';
import {
  claimEmailsStatement,
  type ClaimedEmail,
  emailFailedStatement,
  emailSentStatement,
} from '../../records/email.statements.js';
import { SANDBOX_OPTIONS, type SandboxOptions } from '../../sandbox.options.js';
import { TENANCY, type Tenancy, type TenantLease } from '../../tenancy/tenancy.js';
import { backoff } from '../results/ending.js';
import { type Mailer, mailOptions } from './mailer.js';

/** Mails taken at once. */
const BATCH = 20;
/** Milliseconds that a taken mail is nobody else's: longer than a mail server may take. */
const LEASE_MS = 5 * 60_000;
/** Attempts at a mail, over about a day. */
const ATTEMPTS = 30;
/** First wait in milliseconds; doubles up to an hour. */
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 3_600_000;
/** Milliseconds between two looks for mails that a crash or a failure left behind. */
const SWEEP_MS = 5_000;
/** Tenants looked at per sweep, besides those that sent mails here. */
const TENANTS_PER_SWEEP = 50;

/**
 * Sends the mails that runs have committed, after the commit: at least once, always with the same Message-ID. Mails are
 * rows, so a crash, a mail server that is down or a missing mailer delay them and lose none.
 */
@Injectable()
export class MailSender implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('SandboxModule');
  private readonly sending = new Map<string, Promise<void>>();
  private readonly again = new Set<string>();
  private mailer: Mailer | undefined;
  private timer: NodeJS.Timeout | undefined;
  private position = 0;
  private warned = false;
  private stopped = false;

  constructor(
    @Inject(SANDBOX_OPTIONS) private readonly options: SandboxOptions,
    @Inject(TENANCY) private readonly tenancy: Tenancy,
    @Inject(SandboxEvents) private readonly events: SandboxEvents,
    @Inject(ModuleRef) private readonly modules: ModuleRef,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    this.mailer = await findMailer(this.modules);
    if (this.options.processing.enabled && this.mailer) this.schedule();
  }

  /** Takes no more mails and waits for those that are on their way. */
  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await Promise.all(this.sending.values());
  }

  /** There are mails of the tenant. Never throws, never waits. */
  wake(tenantId: string): void {
    if (!this.mailer) return this.warnOnce();
    if (this.stopped) return;
    if (this.sending.has(tenantId)) {
      this.again.add(tenantId);
      return;
    }
    const work = this.sendAll(tenantId).finally(() => {
      this.sending.delete(tenantId);
      if (this.again.delete(tenantId)) this.wake(tenantId);
    });
    this.sending.set(tenantId, work);
  }

  /** One look at the next tenants; the loop and tests call it. */
  async sweepOnce(): Promise<void> {
    const tenants = await this.tenancy.tenants();
    const count = Math.min(TENANTS_PER_SWEEP, tenants.length);
    for (let at = 0; at < count && !this.stopped; at++) {
      const tenantId = tenants[this.position++ % tenants.length] as string;
      if (this.sending.has(tenantId)) continue;
      this.wake(tenantId);
      await this.sending.get(tenantId);
    }
  }

  /** Sends what is due of one tenant. Never rejects. */
  private async sendAll(tenantId: string): Promise<void> {
    try {
      const lease = await this.tenancy.lease(tenantId);
      try {
        while (!this.stopped && (await this.sendBatch(lease)) === BATCH);
      } finally {
        lease.release();
      }
    } catch (error) {
      this.events.emit('background.error', { where: 'mail', tenantId, error });
    }
  }

  private async sendBatch(lease: TenantLease): Promise<number> {
    const { rows } = await lease.sql.query<ClaimedEmail>(claimEmailsStatement(BATCH, LEASE_MS));
    for (const email of rows) await this.send(lease, email);
    return rows.length;
  }

  private async send(lease: TenantLease, email: ClaimedEmail): Promise<void> {
    const { tenantId } = lease;
    try {
      await this.mailer?.sendMail(mailOptions(email.message, email.messageId, this.options.email.from));
    } catch (error) {
      await this.failed(lease, email, error);
      return;
    }
    await lease.sql.query(emailSentStatement(email.id));
    this.events.emit('email.sent', { tenantId, emailId: email.id, actionId: email.actionId });
  }

  private async failed(lease: TenantLease, { id, attempts }: ClaimedEmail, error: unknown): Promise<void> {
    const final = attempts >= ATTEMPTS || isPermanent(error);
    const waitMs = final
      ? null
      : Math.min(LONGEST_RETRY_MS, backoff(attempts - 1, FIRST_RETRY_MS) * (attempts > 6 ? 60 : 1));
    await lease.sql.query(emailFailedStatement(id, String(error).slice(0, 1_000), waitMs));
    this.events.emit('email.failed', { tenantId: lease.tenantId, emailId: id, error, final });
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => void this.sweep(), SWEEP_MS);
    this.timer.unref();
  }

  private async sweep(): Promise<void> {
    await this.sweepOnce().catch((error: unknown) => this.events.emit('background.error', { where: 'mail', error }));
    this.schedule();
  }

  private warnOnce(): void {
    if (this.warned) return;
    this.warned = true;
    this.logger.warn(
      'A script sent a mail, but there is no MailerService: mails wait until MailerModule of @nestjs-modules/mailer is imported.',
    );
  }
}

/** A mail server's refusal for good: SMTP 5xx to a recipient or the message. A refused login is the host's to mend. */
function isPermanent(error: unknown): boolean {
  const { responseCode, code } = error as { responseCode?: unknown; code?: unknown };
  return typeof responseCode === 'number' && responseCode >= 500 && code !== 'EAUTH';
}

/** The host's `MailerService`, if the package is there and its module is imported. */
async function findMailer(modules: ModuleRef): Promise<Mailer | undefined> {
  try {
    const { MailerService } = await import('@nestjs-modules/mailer');
    return modules.get<Mailer>(MailerService as never, { strict: false });
  } catch {
    return undefined;
  }
}
