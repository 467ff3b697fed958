import type { EmailMessage } from '../../records/email.statements.js';

/** The part of `MailerService` (`@nestjs-modules/mailer`) that is used; that package is optional. */
export interface Mailer {
  sendMail(options: Record<string, unknown>): Promise<unknown>;
}

/** What is sent: the script's message with its stable id, and the host's sender where it names one. */
export function mailOptions(
  message: EmailMessage,
  messageId: string,
  from: string | undefined,
): Record<string, unknown> {
  const { data, ...rest } = message;
  return {
    ...rest,
    messageId,
    ...(from === undefined ? {} : { from }),
    ...(data === undefined ? {} : { context: { ...data } }),
  };
}
