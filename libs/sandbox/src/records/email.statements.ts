import type { SqlStatement } from '../tenancy/tenancy.js';
import { storableJson } from './storable-json.js';

/** What a script asked to be mailed, validated: addresses are single ones, subject is one line. */
export interface EmailMessage {
  readonly to: readonly string[];
  readonly cc?: readonly string[];
  readonly bcc?: readonly string[];
  readonly subject?: string;
  readonly text?: string;
  readonly html?: string;
  /** Name of a template of the host's mailer. */
  readonly template?: string;
  /** What the template is filled with. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** A mail to be written. */
export interface NewEmail {
  readonly id: string;
  readonly message: EmailMessage;
  /** The same whenever the same call of the same action is repeated. */
  readonly messageId: string;
}

/** A mail as the sender claims it. */
export interface ClaimedEmail extends NewEmail {
  readonly actionId: string | null;
  /** Attempts, this one included. */
  readonly attempts: number;
}

/** Writes a run's mails. */
export function insertEmailsStatement(
  actionId: string | null,
  scriptId: string | null,
  emails: readonly NewEmail[],
): SqlStatement {
  return {
    name: 'sandbox_insert_emails',
    text: `insert into sandbox_email (id, action_id, script_id, message, message_id)
select (mail->>'id')::uuid, $2, $3, mail->'message', mail->>'messageId' from jsonb_array_elements($1::jsonb) mail`,
    values: [storableJson(emails), actionId, scriptId],
  };
}

/**
 * Takes mails that are due, so that no other sender takes them for `leaseMs`. A sender that dies leaves them to be taken
 * again then.
 */
export function claimEmailsStatement(count: number, leaseMs: number): SqlStatement {
  return {
    name: 'sandbox_claim_emails',
    text: `update sandbox_email set attempts = attempts + 1, next_attempt_at = now() + $2 * interval '1 millisecond'
where id in (
  select id from sandbox_email where status = 'pending' and next_attempt_at <= now()
  order by next_attempt_at limit $1 for update skip locked
)
returning id, action_id as "actionId", message, message_id as "messageId", attempts`,
    values: [count, leaseMs],
  };
}

/** Keeps mails that were taken for another `leaseMs`. */
export function keepEmailsStatement(ids: readonly string[], leaseMs: number): SqlStatement {
  return {
    name: 'sandbox_keep_emails',
    text: `update sandbox_email set next_attempt_at = now() + $2 * interval '1 millisecond'
where id = any($1::uuid[]) and status = 'pending'`,
    values: [ids, leaseMs],
  };
}

/** Gives back mails that were taken and not tried: they are due at once. */
export function giveBackEmailsStatement(ids: readonly string[]): SqlStatement {
  return {
    name: 'sandbox_give_back_emails',
    text: `update sandbox_email set attempts = attempts - 1, next_attempt_at = now()
where id = any($1::uuid[]) and status = 'pending'`,
    values: [ids],
  };
}

/** The mail has left. */
export function emailSentStatement(id: string): SqlStatement {
  return {
    name: 'sandbox_email_sent',
    text: `update sandbox_email set status = 'sent', sent_at = now(), error = null where id = $1`,
    values: [id],
  };
}

/** The mail could not be sent; it is tried again in `retryInMs`, or given up where that is null. */
export function emailFailedStatement(id: string, error: string, retryInMs: number | null): SqlStatement {
  return {
    name: 'sandbox_email_failed',
    text: `update sandbox_email set error = $2, status = case when $3::bigint is null then 'failed' else 'pending' end,
  next_attempt_at = now() + coalesce($3::bigint, 0) * interval '1 millisecond' where id = $1`,
    values: [id, error, retryInMs],
  };
}

/** Whether mails are due. */
export const DUE_EMAILS: SqlStatement = {
  name: 'sandbox_due_emails',
  text: `select 1 from sandbox_email where status = 'pending' and next_attempt_at <= now() limit 1`,
};
