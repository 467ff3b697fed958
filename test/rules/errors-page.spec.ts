// docs/errors.md lists every code of the sources, and no other.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { collectCodes } from './errors-page.mjs';

const page = readFileSync(join(__dirname, '..', '..', 'docs', 'errors.md'), 'utf8');

it('lists every code that the sources have, and none that they have not', () => {
  const listed = [...page.matchAll(/^\| `(SANDBOX_\w+)`/gm)].map(([, code]) => code as string);
  expect(listed.sort()).toEqual(collectCodes().map(({ code }) => code));
});

it('says of every code what it means', () => {
  expect(collectCodes().filter(({ description }) => description === '')).toEqual([]);
});

it('finds a code in a class and a code that stands alone', () => {
  const source = `/** Something is wrong. */ export class AError extends SandboxError { readonly code = 'SANDBOX_A_CODE'; }
    const other = { code: 'SANDBOX_UNIQUE_VIOLATION' };`;
  expect(collectCodes({ 'libs/sandbox/src/errors/a.ts': source })).toEqual([
    { code: 'SANDBOX_A_CODE', name: 'AError', description: 'Something is wrong.', seenBy: 'host' },
    expect.objectContaining({ code: 'SANDBOX_UNIQUE_VIOLATION', seenBy: 'script' }),
  ]);
});
