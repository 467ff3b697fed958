import { InvalidEmailError, LimitExceededError } from '../../errors/bridge.errors.js';
import { describeValue } from '../../errors/sandbox-error.js';
import type { EmailMessage } from '../../records/email.statements.js';
import { nearMatches } from './near-matches.js';
import { isPlain, type Plain } from './query/query-shape.js';

const PROPERTIES = ['to', 'cc', 'bcc', 'subject', 'text', 'html', 'template', 'data'];
/** An address, or a name and an address in angle brackets: what SMTP takes, not all that RFC 5322 allows. */
const ADDRESS =
  /^(?:[^<>\r\n"]{0,200}|"[^<>\r\n"]{0,200}") ?<[^\s<>@,;:"\\]{1,64}@[^\s<>@,;:"\\]{1,255}>$|^[^\s<>@,;:"\\]{1,64}@[^\s<>@,;:"\\]{1,255}$/;
const TEMPLATE = /^[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}$/;

/**
 * Validates the arguments of `sendEmail`: one message, or `(to, cc, bcc, subject, body)`.
 * Throws `InvalidEmailError`, and `LimitExceededError` for too many recipients.
 */
export function parseEmail(args: readonly unknown[], recipientLimit: number): EmailMessage {
  const given = args.length === 1 && isPlain(args[0]) ? args[0] : positional(args);
  for (const key of Object.keys(given)) {
    if (!PROPERTIES.includes(key)) throw unknownProperty(key);
  }
  const recipients = { to: addresses(given, 'to'), cc: addresses(given, 'cc'), bcc: addresses(given, 'bcc') };
  const total = recipients.to.length + recipients.cc.length + recipients.bcc.length;
  if (total === 0) throw new InvalidEmailError('to', 'names nobody: a mail needs a recipient.');
  if (total > recipientLimit) {
    throw new LimitExceededError('emailRecipients', recipientLimit, `A mail has ${total} recipients`);
  }
  return {
    to: recipients.to,
    ...(recipients.cc.length > 0 ? { cc: recipients.cc } : {}),
    ...(recipients.bcc.length > 0 ? { bcc: recipients.bcc } : {}),
    ...text(given, 'subject', true),
    ...text(given, 'text', false),
    ...text(given, 'html', false),
    ...templateOf(given),
  };
}

function positional(args: readonly unknown[]): Plain {
  const [to, cc, bcc, subject, body] = args;
  const html = typeof body === 'string' && /^\s*</.test(body);
  return { to, cc, bcc, subject, ...(html ? { html: body } : { text: body ?? '' }) };
}

function unknownProperty(key: string): InvalidEmailError {
  const near = nearMatches(key, PROPERTIES)[0];
  return new InvalidEmailError(
    describeValue(key),
    `is not part of a mail. ${near ? `Did you mean ${near}?` : `A mail has ${PROPERTIES.join(', ')}.`}`,
  );
}

function addresses(given: Plain, part: 'to' | 'cc' | 'bcc'): string[] {
  const value = given[part];
  if (value === undefined || value === null || value === '') return [];
  const list = (Array.isArray(value) ? value : [value]).flatMap((each) =>
    typeof each === 'string' ? split(each) : [each],
  );
  return list.map((each) => {
    const address = typeof each === 'string' ? each.trim() : each;
    if (typeof address === 'string' && ADDRESS.test(address)) return address;
    throw new InvalidEmailError(part, `holds ${describeValue(each)}, which is not a mail address.`);
  });
}

/** `a@x.org, b@x.org` and `a@x.org; b@x.org` are lists; a comma within quotes or brackets is refused by the address check. */
function split(text: string): string[] {
  return text.split(/[,;]/).filter((part) => part.trim() !== '' || text.trim() === '');
}

function text(given: Plain, part: 'subject' | 'text' | 'html', oneLine: boolean): { [key: string]: string } {
  const value = given[part];
  if (value === undefined || value === null) return {};
  if (typeof value !== 'string') throw new InvalidEmailError(part, `must be a string, not ${describeValue(value)}.`);
  if (oneLine && ['\r', '\n', '\u0000'].some((character) => value.includes(character))) {
    throw new InvalidEmailError(part, 'must be one line: a line break would start another header.');
  }
  return { [part]: value };
}

function templateOf(given: Plain): Pick<EmailMessage, 'template' | 'data'> {
  const { template, data } = given;
  if (template === undefined || template === null) {
    if (data !== undefined && data !== null) throw new InvalidEmailError('data', 'is only used with template.');
    return {};
  }
  if (typeof template !== 'string' || !TEMPLATE.test(template) || template.includes('..')) {
    throw new InvalidEmailError('template', `cannot be ${describeValue(template)}: give the name of a template.`);
  }
  if (data !== undefined && data !== null && !isPlain(data)) {
    throw new InvalidEmailError('data', `must be an object, not ${describeValue(data)}.`);
  }
  return { template, ...(isPlain(data) ? { data } : {}) };
}
