// Builds the package: dist/esm and dist/cjs by swc, one output a source file, and the declarations by tsc.
//   node build.mjs            JavaScript and declarations (what is published)
//   node build.mjs --js-only  JavaScript alone, under a second: worker threads need real files, tests run from source
// A file is written only when its text changed, and by rename, so that builds that overlap never show a half-written file.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformFileSync } from '@swc/core';

const require = createRequire(import.meta.url);
const root = dirname(fileURLToPath(import.meta.url));
const src = join(root, 'src');
const esm = join(root, 'dist/esm');
const cjs = join(root, 'dist/cjs');

const walk = (dir) =>
  readdirSync(dir).flatMap((name) =>
    statSync(join(dir, name)).isDirectory() ? walk(join(dir, name)) : [join(dir, name)],
  );

function writeIfChanged(file, text) {
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, text);
  renameSync(temporary, file);
}

function compile(file, type) {
  return transformFileSync(file, {
    swcrc: false,
    module: { type, ...(type === 'es6' ? { resolveFully: false } : {}) },
    sourceMaps: false,
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true, dynamicImport: true },
      transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: true },
      keepClassNames: true,
      preserveAllComments: false,
    },
  }).code;
}

const sources = walk(src).filter(
  (file) => file.endsWith('.ts') && !file.endsWith('.d.ts') && !file.endsWith('.spec.ts'),
);
for (const file of sources) {
  const target = relative(src, file).replace(/\.ts$/, '.js');
  writeIfChanged(join(esm, target), compile(file, 'es6'));
  writeIfChanged(join(cjs, target), compile(file, 'commonjs'));
}
writeIfChanged(join(cjs, 'package.json'), '{"type":"commonjs"}\n');

if (!process.argv.includes('--js-only')) {
  execFileSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', join(root, 'tsconfig.lib.json')], {
    stdio: 'inherit',
  });
  for (const file of walk(esm).filter((name) => name.endsWith('.d.ts'))) cpSync(file, join(cjs, relative(esm, file)));
  // npm packs what is in the package's own folder, and links lead nowhere there.
  for (const name of ['README.md', 'LICENSE']) cpSync(join(root, '../..', name), join(root, name));
}
