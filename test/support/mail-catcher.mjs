// A real SMTP server that keeps every mail it is sent, parsed, in memory.
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import { freePort, until } from './processes.mjs';

/**
 * Starts it on 127.0.0.1. Returns `{ url, port, mails, waitFor(count), refuse(times), stop() }`; a mail is
 * `{ from, to, cc, recipients, subject, text, html, messageId, headers, receivedAt }`.
 * `refuse(n)`: the next n mails are answered with a temporary error (451).
 */
export async function startMailCatcher({ port } = {}) {
  const mails = [];
  let refusals = 0;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    onData(stream, session, done) {
      simpleParser(stream).then((parsed) => {
        if (refusals > 0) {
          refusals -= 1;
          done(Object.assign(new Error('Try again later'), { responseCode: 451 }));
          return;
        }
        mails.push(summary(parsed, session));
        done();
      }, done);
    },
  });
  server.on('error', () => {}); // a client that was killed in the middle of a mail
  const chosen = port ?? (await freePort());
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(chosen, '127.0.0.1', resolve);
  });
  return {
    url: `smtp://127.0.0.1:${chosen}`,
    port: chosen,
    mails,
    waitFor: (count, options) =>
      until(() => mails.length >= count && mails, { what: `${count} mails (${mails.length} so far)`, ...options }),
    refuse: (times) => void (refusals = times),
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

const addresses = (header) => [header ?? []].flat().flatMap(({ value }) => value.map(({ address }) => address));

function summary(parsed, session) {
  return {
    from: addresses(parsed.from)[0],
    to: addresses(parsed.to),
    cc: addresses(parsed.cc),
    /** Everybody the mail was handed over for, bcc included. */
    recipients: session.envelope.rcptTo.map(({ address }) => address),
    subject: parsed.subject,
    text: parsed.text?.trim(),
    html: parsed.html || undefined,
    messageId: parsed.messageId,
    headers: parsed.headers,
    receivedAt: new Date(),
  };
}
