// docs/errors.md is made from the sources: every `SANDBOX_...` code, with the doc comment of its class.
//   node test/rules/errors-page.mjs --write   makes the page anew
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { readSources } from './import-rules.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const CODE = /^SANDBOX_[A-Z][A-Z_]*[A-Z]$/;

/** Codes that no class of `errors/` has, because they are data: recorded with an action, or made in the guest. */
const WITHOUT_CLASS = {
  SANDBOX_ARGUMENTS_TOO_DEEP: ['script', 'The arguments of a call are nested more than 1,000 levels deep.'],
  SANDBOX_ARGUMENTS_TOO_LARGE: ['script', 'What the script passed to a call is too large to be sent.'],
  SANDBOX_BRIDGE: ['script', 'A call failed, and the host gave no code of its own.'],
  SANDBOX_BROKEN_CALL: ['script', 'A call is not one that the host understands.'],
  SANDBOX_CHAIN_TOO_DEEP: ['action', 'Scripts fired scripts more than `limits.depth` deep: the action was skipped.'],
  SANDBOX_CHECK_VIOLATION: ['script', 'A value breaks a check constraint of the table.'],
  SANDBOX_DATABASE_REFUSED: ['script', 'The database refused a write for another reason in the data.'],
  SANDBOX_DEBOUNCED: [
    'action',
    'A newer action with the same key came within `debounce.delayMs`: this one was skipped.',
  ],
  SANDBOX_DEDUPLICATED: [
    'action',
    'An action with the same key came first, within `dedupe.windowMs`: this one was skipped.',
  ],
  SANDBOX_EXCLUSION_VIOLATION: ['script', 'The record collides with another one (exclusion constraint).'],
  SANDBOX_FOREIGN_KEY_VIOLATION: [
    'script',
    'A value names a record that does not exist, or a record that others refer to would go away.',
  ],
  SANDBOX_INTERNAL_ERROR: [
    'action',
    "The run failed, also when repeated, for a reason on the host's side: see its log.",
  ],
  SANDBOX_LOCK_TIMEOUT: ['script', 'Somebody else held the record locked for too long.'],
  SANDBOX_MISCONDUCT: [
    'action',
    'The process that ran the script sent what no run may send, and was ended: the script may have broken out of its engine.',
  ],
  SANDBOX_NOT_NULL_VIOLATION: ['script', 'A column that takes no null was given null, or nothing.'],
  SANDBOX_NOT_STARTED: [
    'action',
    'No thread, or no process, could be started to run the script in: see what limits the memory and the processes of the machine.',
  ],
  SANDBOX_OUT_OF_RANGE: ['script', 'A number is too large for its column.'],
  SANDBOX_POOL_CLOSED: ['action', 'The processor was shutting down; the run is repeated elsewhere.'],
  SANDBOX_REPLY_NOT_JSON: ['script', 'What a host service answered cannot be written as JSON.'],
  SANDBOX_REPLY_TOO_LARGE: ['script', 'What the host answered is too large to be sent: ask for less at a time.'],
  SANDBOX_RUN_GIVEN_UP: ['script', 'The host gave up the run; it is repeated. Scripts cannot catch this one.'],
  SANDBOX_RUN_INTERRUPTED: [
    'action',
    'The process that ran the script ended for no fault of the script; the run is repeated.',
  ],
  SANDBOX_SCRIPT_DELETED: ['action', 'The script was deleted before the action ran: it was skipped.'],
  SANDBOX_SCRIPT_DISABLED: ['action', 'The script was disabled before the action ran: it was skipped.'],
  SANDBOX_STATEMENT_TIMEOUT: ['script', 'A statement took too long: ask for less at a time.'],
  SANDBOX_TOO_COMPLEX: ['script', 'A statement is too complex for the database.'],
  SANDBOX_TOO_LONG: ['script', 'A text is too long for its column.'],
  SANDBOX_UNIQUE_VIOLATION: ['script', 'There is a record with the same value already.'],
};

/** Every code of the library's sources: `{ code, name, description, seenBy }`, sorted. */
export function collectCodes(files = readSources(ROOT)) {
  const found = new Map();
  const literals = new Set();
  const scriptFacing = new Set(['ScriptFacingError']);
  for (const [path, text] of Object.entries(files)) {
    if (!path.startsWith('libs/sandbox/src/')) continue;
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
    const visit = (node, owner) => {
      const around = ts.isClassDeclaration(node) ? node : owner;
      if (ts.isClassDeclaration(node) && scriptFacing.has(parentOf(node))) scriptFacing.add(node.name?.text);
      if (ts.isStringLiteralLike(node) && CODE.test(node.text)) {
        literals.add(node.text);
        if (around && ts.isPropertyDeclaration(node.parent)) found.set(node.text, describeClass(around, scriptFacing));
      }
      ts.forEachChild(node, (child) => visit(child, around));
    };
    visit(file, undefined);
  }
  return [...literals]
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((code) => ({ code, ...(found.get(code) ?? withoutClass(code)) }));
}

const parentOf = (node) => node.heritageClauses?.[0]?.types[0]?.expression.getText();

function describeClass(node, scriptFacing) {
  const comment = ts
    .getJSDocCommentsAndTags(node)
    .map((doc) => ts.getTextOfJSDocComment(doc.comment) ?? '')
    .join(' ');
  return {
    name: node.name?.text,
    description: comment.replace(/\s+/g, ' ').replaceAll('|', '\\|').trim(),
    seenBy: scriptFacing.has(parentOf(node)) ? 'script' : 'host',
  };
}

function withoutClass(code) {
  const [seenBy, description] = WITHOUT_CLASS[code] ?? ['', ''];
  return { name: '', description, seenBy };
}

function page(codes) {
  const table = (seenBy) => [
    '| code | class | what happened |',
    '|---|---|---|',
    ...codes
      .filter((entry) => entry.seenBy === seenBy)
      .map(({ code, name, description }) => `| \`${code}\` | ${name ? `\`${name}\`` : ''} | ${description} |`),
    '',
  ];
  return [
    '# Errors',
    '',
    'Every error has a stable `code`, a message that says what happened, with which value and what to do, and `details` with',
    'the same values for programs. Programs should look at `code`; messages may become better.',
    '',
    'This page is made from the sources by `node test/rules/errors-page.mjs --write`; a test checks that it lists every code.',
    '',
    '## Thrown to the host',
    '',
    ...table('host'),
    '## Thrown to a script',
    '',
    'A script catches these as ordinary errors with `name`, `message` and `code`. Of what fails on the host it learns no more than',
    'that it failed. A host service reaches the script with a code of its own by throwing `BridgeError`.',
    '',
    ...table('script'),
    '## Kept with an action',
    '',
    ...table('action'),
  ].join('\n');
}

async function formatted(text, filepath) {
  const { format, resolveConfig } = await import('prettier');
  return await format(text, { ...(await resolveConfig(filepath)), filepath });
}

async function main() {
  const codes = collectCodes();
  const unknown = codes.filter(({ description }) => !description);
  for (const { code, name } of unknown) console.error(`${code}: ${name || 'no class'} has no description`);
  const file = join(ROOT, 'docs', 'errors.md');
  if (process.argv.includes('--write')) writeFileSync(file, await formatted(page(codes), file));
  else process.stdout.write(readFileSync(file, 'utf8'));
  process.exitCode = unknown.length > 0 ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) void main();
