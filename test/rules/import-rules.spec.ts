// The import rules hold, and the script that says so catches what it is there to catch.
import { join } from 'node:path';
import { importsOf, readSources, violations } from './import-rules.mjs';

const src = (path: string) => `libs/sandbox/src/${path}`;

it('finds nothing wrong with the sources', () => {
  expect(violations(readSources(join(__dirname, '..', '..')))).toEqual([]);
});

it('reads every form of import', () => {
  const text = `
    import a from './a.js';
    import type { B } from './b.js';
    import { type C } from './c.js';
    export * from './d.js';
    export type { E } from './e.js';
    const f = await import('./f.js');
    type G = import('./g.js').G;
    import './h.js';
    // import './comment.js';
    const text = "import './text.js'";
  `;
  expect(importsOf(text).map(({ specifier, typeOnly }) => [specifier, typeOnly])).toEqual([
    ['./a.js', false],
    ['./b.js', true],
    ['./c.js', true],
    ['./d.js', false],
    ['./e.js', true],
    ['./f.js', false],
    ['./g.js', true],
    ['./h.js', false],
  ]);
});

const empty = (...paths: string[]) => Object.fromEntries(paths.map((path) => [path, '']));

it.each([
  ['protocol importing a package', { [src('protocol/a.ts')]: `import 'pg';` }],
  [
    'protocol importing another folder',
    { [src('protocol/a.ts')]: `import type { E } from '../errors/e.js';`, ...empty(src('errors/e.ts')) },
  ],
  [
    'the producer importing the processor',
    { [src('producer/outbox/a.ts')]: `import '../../processor/pool/p.js';`, ...empty(src('processor/pool/p.ts')) },
  ],
  [
    'one stage of the processor importing another',
    { [src('processor/turns/a.ts')]: `import '../bridge/b.js';`, ...empty(src('processor/bridge/b.ts')) },
  ],
  ['the thread importing fs', { [src('thread/a.ts')]: `import { readFileSync } from 'node:fs';` }],
  ['the thread importing fs without a prefix', { [src('thread/a.ts')]: `import fs from 'fs';` }],
  ['the thread importing Nest', { [src('thread/a.ts')]: `import '@nestjs/common';` }],
  [
    'the thread importing a folder with access to the host',
    { [src('thread/a.ts')]: `import '../scripts/s.js';`, ...empty(src('scripts/s.ts')) },
  ],
  [
    'an optional peer outside its entry point',
    { [src('producer/outbox/a.ts')]: `import { Counter } from 'prom-client';` },
  ],
  [
    'a stage importing an entry point',
    { [src('scripts/a.ts')]: `import '../admin/index.js';`, ...empty(src('admin/index.ts')) },
  ],
  [
    'records importing tenancy, but for its types',
    {
      [src('records/a.ts')]: `import { x } from '../tenancy/t.js'; import type { X } from '../tenancy/t.js';`,
      ...empty(src('tenancy/t.ts')),
    },
  ],
  [
    'the Nest module of the producer importing one of the processor',
    { [src('producer/a.module.ts')]: `import '../processor/b.module.js';`, ...empty(src('processor/b.module.ts')) },
  ],
  ['an app importing the library by path', { 'apps/api/src/a.ts': `import '../../../libs/sandbox/src/index.js';` }],
  ['an app importing another app', { 'apps/api/src/a.ts': `import '../../processor/src/main.js';` }],
  ['an app importing an unpublished path', { 'apps/api/src/a.ts': `import 'nestjs-sandbox/dist/esm/x.js';` }],
  [
    'a circle',
    {
      [src('scripts/a.ts')]: `import './b.js';`,
      [src('scripts/b.ts')]: `import './c.js';`,
      [src('scripts/c.ts')]: `import './a.js';`,
    },
  ],
])('catches %s', (_, files) => {
  expect(violations(files)).toHaveLength(1);
});

it.each([
  [
    'a circle of types',
    { [src('scripts/a.ts')]: `import './b.js';`, [src('scripts/b.ts')]: `import type { A } from './a.js';` },
  ],
  [
    'the consumer importing all of the processor',
    { [src('processor/consumer/a.ts')]: `import '../pool/p.js';`, ...empty(src('processor/pool/p.ts')) },
  ],
  ['the thread importing its port', { [src('thread/a.ts')]: `import { parentPort } from 'node:worker_threads';` }],
  [
    'the Nest module of a stage importing the Nest module of its neighbour',
    {
      [src('producer/outbox/outbox.module.ts')]: `import '../dispatch/dispatch.module.js';`,
      ...empty(src('producer/dispatch/dispatch.module.ts')),
    },
  ],
  ['an app importing an entry point', { 'apps/api/src/a.ts': `import 'nestjs-sandbox/admin';` }],
])('allows %s', (_, files) => {
  expect(violations(files)).toEqual([]);
});
