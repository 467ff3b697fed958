import { once, setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { SandboxEvents } from '../../events/sandbox-events.js';
import {
  type ClaimedEmail,
  DUE_EMAILS,
  emailFailedStatement,
  emailSentStatement,
} from '../../records/email.statements.js';
import { SANDBOX_OPTIONS, type SandboxOptions } from '../../sandbox.options.js';
import { SandboxContext } from '../../tenancy/sandbox-context.js';
import { type SqlClient, TENANCY, type Tenancy, type TenantLease } from '../../tenancy/tenancy.js';
import { backoff } from '../../queue/backoff.js';
import { MailBatch } from './mail-batch.js';
import { type Mailer, mailOptions } from './mailer.js';

/** Attempts at a mail, over about a day. */
const ATTEMPTS = 30;
/** First wait in milliseconds; doubles up to an hour. */
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 3_600_000;
/** Milliseconds that a shutdown waits for the mail that is on its way; one that it gives up on is sent again. */
const DRAIN_MS = 2_000;
/** Milliseconds between two looks for mails that a crash or a failure left behind. */
const SWEEP_MS = 5_000;
/** Most tenants, and milliseconds, of one sweep's round through the tenants not known to wait. */
const TENANTS_PER_SWEEP = 100;
const SWEEP_SHARE_MS = 250;
/** The tenant's database has no tables of ours yet. */
const UNDEFINED_TABLE = '42P01';

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
  /** Tenants with mails that could not be sent. */
  private readonly waiting = new Set<string>();
  private round: string[] = [];
  private sweeping: Promise<void> | undefined;
  private warned = false;
  private readonly stopping = new AbortController();

  constructor(
    @Inject(SANDBOX_OPTIONS) private readonly options: SandboxOptions,
    @Inject(TENANCY) private readonly tenancy: Tenancy,
    @Inject(SandboxEvents) private readonly events: SandboxEvents,
    @Inject(ModuleRef) private readonly modules: ModuleRef,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    // Every mail that is on its way listens for the shutdown.
    setMaxListeners(0, this.stopping.signal);
    this.mailer = await findMailer(this.modules);
    if (!this.options.processing.enabled || !this.mailer) return;
    this.tenancy.onOpen(({ tenantId }) => void setImmediate(() => void this.look(tenantId)));
    SandboxContext.exit(() => this.schedule());
  }

  /** Takes no more mails, gives back those that it holds, and waits for the ones that are on their way, though not long. */
  async onModuleDestroy(): Promise<void> {
    this.stopping.abort();
    clearTimeout(this.timer);
    await Promise.all([this.sweeping, ...this.sending.values()]);
  }

  private get stopped(): boolean {
    return this.stopping.signal.aborted;
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

  /**
   * One look for mails that a crash or a failing mail server left behind: at the tenants known to wait, then at some of
   * the others in turn. The loop and tests call it. Never rejects.
   */
  async sweepOnce(): Promise<void> {
    // those that fail again meanwhile are for the next sweep
    const waiting = [...this.waiting];
    for (const tenantId of waiting) await this.look(tenantId);
    const until = performance.now() + SWEEP_SHARE_MS;
    if (this.round.length === 0) this.round = [...(await this.tenants())];
    for (const tenantId of this.round.splice(0, TENANTS_PER_SWEEP)) {
      if (this.stopped || performance.now() > until) this.round.push(tenantId);
      else await this.look(tenantId);
    }
  }

  private async tenants(): Promise<readonly string[]> {
    return await this.tenancy.tenants().catch((error: unknown) => {
      this.events.emit('background.error', { where: 'mail', error });
      return [];
    });
  }

  /** Looks without opening a database that is closed. */
  private async look(tenantId: string): Promise<void> {
    if (this.stopped || this.sending.has(tenantId)) return;
    try {
      const due = await peek(this.tenancy, tenantId, async (sql) => (await sql.query(DUE_EMAILS)).rows.length > 0);
      if (due) this.wake(tenantId);
    } catch (error) {
      if ((error as { code?: unknown }).code === UNDEFINED_TABLE) return;
      this.events.emit('background.error', { where: 'mail', tenantId, error });
    }
  }

  /** Sends what is due of one tenant. Never rejects. */
  private async sendAll(tenantId: string): Promise<void> {
    try {
      const lease = await this.tenancy.lease(tenantId);
      try {
        this.waiting.delete(tenantId);
        while (!this.stopped && (await this.sendBatch(lease)));
      } finally {
        lease.release();
      }
    } catch (error) {
      this.events.emit('background.error', { where: 'mail', tenantId, error });
    }
  }

  /** Resolves to whether there may be more. */
  private async sendBatch(lease: TenantLease): Promise<boolean> {
    const batch = await MailBatch.take(lease.sql);
    try {
      for (const email of batch.emails) {
        if (this.stopped) break;
        await this.send(lease.tenantId, batch, email);
      }
      return batch.full;
    } finally {
      await batch.end();
    }
  }

  private async send(tenantId: string, batch: MailBatch, email: ClaimedEmail): Promise<void> {
    try {
      // Given up on, it stays with the batch, which gives it back: another processor sends it again.
      if (!(await this.handOver(email))) return;
    } catch (error) {
      await this.failed(tenantId, batch, email, error);
      return;
    }
    await batch.settle(email.id, emailSentStatement(email.id));
    this.events.emit('email.sent', { tenantId, emailId: email.id, actionId: email.actionId });
  }

  /** Rejects with what the mail server said; false where it had said nothing `DRAIN_MS` into a shutdown. */
  private async handOver({ message, messageId }: ClaimedEmail): Promise<boolean> {
    const sending = Promise.resolve(this.mailer?.sendMail(mailOptions(message, messageId, this.options.email.from)));
    const { signal } = this.stopping;
    const over = new AbortController();
    try {
      const late = once(signal, 'abort', { signal: over.signal }).then(() =>
        sleep(DRAIN_MS, false, { signal: over.signal }),
      );
      late.catch(() => undefined);
      return await Promise.race([sending.then(() => true), late]);
    } finally {
      over.abort();
    }
  }

  private async failed(tenantId: string, batch: MailBatch, email: ClaimedEmail, error: unknown): Promise<void> {
    const { id, attempts } = email;
    const final = attempts >= ATTEMPTS || isPermanent(error);
    const waitMs = final
      ? null
      : Math.min(LONGEST_RETRY_MS, backoff(attempts - 1, FIRST_RETRY_MS) * (attempts > 6 ? 60 : 1));
    if (!final) this.waiting.add(tenantId);
    await batch.settle(id, emailFailedStatement(id, String(error).slice(0, 1_000), waitMs));
    this.events.emit('email.failed', { tenantId, emailId: id, error, final });
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.sweeping = this.sweepOnce().finally(() => this.schedule());
    }, SWEEP_MS);
    this.timer.unref();
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

async function peek<T>(tenancy: Tenancy, tenantId: string, fn: (sql: SqlClient) => Promise<T>): Promise<T> {
  if (tenancy.peek) return await tenancy.peek(tenantId, fn);
  const lease = await tenancy.lease(tenantId);
  try {
    return await fn(lease.sql);
  } finally {
    lease.release();
  }
}
