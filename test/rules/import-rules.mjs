// Who may import whom (docs/how-it-works.md), checked over every source file. `npm run lint` runs it.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const LEAVES = ['protocol', 'errors', 'records', 'events', 'sandbox.options', 'tracing'];
const SHARED = [...LEAVES, 'tenancy', 'queue', 'scripts'];

/**
 * Folders of libs/sandbox/src, the most specific first, and what each may import besides itself. `*` is everything: the
 * composition points, which wire the stages and are imported by nobody.
 * `types` may be imported as types only.
 */
export const RULES = [
  { folder: 'protocol', may: [] },
  { folder: 'errors', may: ['protocol'] },
  // Statements are made here and run through tenancy's client: the two share the type of a statement.
  { folder: 'records', may: ['protocol', 'errors'], types: ['tenancy'] },
  { folder: 'events', may: ['protocol', 'errors'] },
  { folder: 'tracing', may: ['protocol', 'sandbox.options'] },
  // The options name the contracts that a host hands in; they are types, and none of these folders imports them back.
  { folder: 'sandbox.options', may: ['protocol', 'errors', 'tenancy', 'scripts'] },
  { folder: 'queue', may: [...LEAVES, 'tenancy'] },
  { folder: 'tenancy', may: LEAVES },
  { folder: 'scripts', may: [...LEAVES, 'tenancy', 'queue'] },
  { folder: 'actions', may: SHARED },
  { folder: 'producer/capture', may: SHARED },
  { folder: 'producer/outbox', may: SHARED },
  { folder: 'producer/dispatch', may: SHARED },
  { folder: 'producer', may: [...SHARED, 'producer'] },
  { folder: 'processor/bridge', may: [...SHARED, 'processor/effects'] },
  { folder: 'processor/results', may: [...SHARED, 'processor/effects'] },
  { folder: 'processor/turns', may: SHARED },
  { folder: 'processor/pool', may: SHARED },
  { folder: 'processor/effects', may: SHARED },
  { folder: 'processor/mail', may: SHARED },
  { folder: 'processor', may: [...SHARED, 'processor'] },
  { folder: 'thread', may: ['protocol'] },
  { folder: 'admin', may: '*' },
  { folder: 'health', may: '*' },
  { folder: 'metrics', may: '*' },
  { folder: 'testing', may: '*' },
  { folder: '', may: '*' },
];

/** The composition points: of a stage, of the processor, and the entry points. Nobody inside imports them. */
const ENTRY_FOLDERS = ['admin', 'health', 'metrics', 'testing'];

/** Optional peer dependencies, and the folders that may import them as values. */
const OPTIONAL_PEERS = new Map([
  ['@nestjs/swagger', ['admin']],
  ['@nestjs/terminus', ['health']],
  ['prom-client', ['metrics']],
]);

/** A grammar is recursive: a statement holds expressions, which hold functions, which hold statements. */
const RECURSIVE = ['libs/sandbox/src/thread/engines/js-interpreter/evaluator/'];
const isRecursive = (circle) => RECURSIVE.some((folder) => circle.every((path) => path.startsWith(folder)));

/** Of Node, a thread has nothing but its port. */
const NODE_IN_THREAD = ['node:worker_threads'];
const BUILTIN = new Set([...builtinModules, ...builtinModules.map((name) => `node:${name}`)]);

/** The published entry points of the workspace's packages. */
const PUBLISHED = /^(nestjs-sandbox(\/(admin|testing|health|metrics))?|shop(\/operations)?)$/;

/** Every import of a source text: `{ specifier, line, typeOnly }`. */
export function importsOf(text, fileName = 'file.ts') {
  const file = ts.createSourceFile(fileName, text, ts.ScriptTarget.Latest, true);
  const found = [];
  const add = (literal, typeOnly) =>
    found.push({
      specifier: literal.text,
      line: file.getLineAndCharacterOfPosition(literal.getStart()).line + 1,
      typeOnly,
    });
  const visit = (node) => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, onlyTypes(node.importClause));
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier) add(node.moduleSpecifier, onlyTypes(node));
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    else if (isCallOf(node, ts.SyntaxKind.ImportKeyword) || isRequire(node)) add(node.arguments[0], false);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function onlyTypes(clause) {
  if (!clause) return false;
  if (clause.isTypeOnly) return true;
  const bindings = clause.namedBindings ?? clause.exportClause;
  if (clause.name || !bindings?.elements) return false;
  return bindings.elements.length > 0 && bindings.elements.every((element) => element.isTypeOnly);
}

const isCallOf = (node, kind) =>
  ts.isCallExpression(node) && node.expression.kind === kind && ts.isStringLiteralLike(node.arguments[0] ?? node);
const isRequire = (node) =>
  ts.isCallExpression(node) &&
  ts.isIdentifier(node.expression) &&
  node.expression.text === 'require' &&
  ts.isStringLiteralLike(node.arguments[0] ?? node);

/** The rule of a path below libs/sandbox/src: of a folder, or of files that share a name (`sandbox.options.checks.ts`). */
function ruleOf(path) {
  return RULES.find(
    ({ folder }) =>
      folder === '' || path.startsWith(`${folder}/`) || (!path.includes('/') && path.startsWith(`${folder}.`)),
  );
}

const isEntry = (path) => ENTRY_FOLDERS.some((folder) => path.startsWith(`${folder}/`));

/**
 * What is wrong with the files: one sentence each. `files` maps paths (from the root of the checkout, with `/`) to their
 * text; specs are left out by the caller.
 */
export function violations(files) {
  const found = [];
  const graph = new Map();
  for (const [path, text] of Object.entries(files)) {
    const edges = [];
    for (const { specifier, line, typeOnly } of importsOf(text, path)) {
      const say = (message) => found.push(`${path}:${line} ${message}`);
      const target = specifier.startsWith('.') ? resolveIn(files, path, specifier) : undefined;
      if (path.startsWith('libs/sandbox/src/')) checkLibrary(path, specifier, target, typeOnly, say);
      if (path.startsWith('apps/') && path.endsWith('.ts')) checkApp(path, specifier, target, say);
      if (target && !typeOnly) edges.push(target);
    }
    graph.set(path, edges);
  }
  return [...found, ...cycles(graph)];
}

function resolveIn(files, from, specifier) {
  const plain = posix.normalize(posix.join(posix.dirname(from), specifier));
  return [plain.replace(/\.js$/, '.ts'), plain].find((path) => path in files) ?? plain;
}

function checkLibrary(path, specifier, target, typeOnly, say) {
  const inside = path.slice('libs/sandbox/src/'.length);
  const rule = ruleOf(inside);
  const { folder } = rule;
  if (target !== undefined) {
    checkFolders(inside, rule, { target, typeOnly }, say);
    return;
  }
  if (/^(nestjs-sandbox|shop)(\/|$)/.test(specifier))
    say(`imports "${specifier}": the library does not import packages of this workspace`);
  if (folder === 'thread' && BUILTIN.has(specifier) && !NODE_IN_THREAD.includes(specifier)) {
    say(`imports "${specifier}": of Node, thread/ may import ${NODE_IN_THREAD.join(', ')} only`);
  }
  if (
    folder === 'thread' &&
    !BUILTIN.has(specifier) &&
    /^(@nestjs|typeorm|pg|bullmq|ioredis|rxjs)(\/|$)/.test(specifier)
  ) {
    say(`imports "${specifier}": thread/ knows nothing of Nest, databases or queues`);
  }
  if (folder === 'protocol') say(`imports "${specifier}": protocol/ imports nothing`);
  const homes = OPTIONAL_PEERS.get(specifier);
  if (homes && !typeOnly && !homes.some((home) => inside.startsWith(`${home}/`))) {
    say(`imports "${specifier}", an optional peer dependency: only ${homes.join(', ')}/ may`);
  }
}

/** A stage's Nest module may name the Nest modules of the stages it is wired to, on its own side. */
const isWiring = (inside, other) =>
  [inside, other].every((path) => path.endsWith('.module.ts')) && inside.split('/')[0] === other.split('/')[0];

function checkFolders(inside, { folder, may, types = [] }, { target, typeOnly }, say) {
  if (!target.startsWith('libs/sandbox/src/')) {
    say(`imports ${target}, outside the library`);
    return;
  }
  const other = target.slice('libs/sandbox/src/'.length);
  const { folder: otherFolder } = ruleOf(other);
  const mine = ENTRY_FOLDERS.find((entry) => other.startsWith(`${entry}/`));
  if (mine && !inside.startsWith(`${mine}/`) && !isEntry(inside)) {
    say(`imports ${mine}/, an entry point that nothing inside may import`);
    return;
  }
  if (otherFolder === folder || may === '*' || isWiring(inside, other)) return;
  const allowed = typeOnly ? [...may, ...types] : may;
  if (!allowed.some((name) => otherFolder === name || otherFolder.startsWith(`${name}/`))) {
    say(`imports ${otherFolder || other}: ${folder} may import ${may.join(', ') || 'nothing'} only`);
  }
}

function checkApp(path, specifier, target, say) {
  const app = path.split('/').slice(0, 2).join('/');
  if (target !== undefined) {
    if (!target.startsWith(`${app}/`)) say(`imports ${target}: an app imports itself and published packages only`);
    return;
  }
  if (/^(nestjs-sandbox|shop)(\/|$)/.test(specifier) && !PUBLISHED.test(specifier)) {
    say(`imports "${specifier}", which is not a published entry point`);
  }
}

/** One sentence a circle of imports (types do not count: they are gone at run time). */
function cycles(graph) {
  const state = new Map();
  const found = [];
  const visit = (path, trail) => {
    if (state.get(path) === 'done' || !graph.has(path)) return;
    if (state.get(path) === 'open') {
      const circle = [...trail.slice(trail.indexOf(path)), path];
      if (!isRecursive(circle)) found.push(`${path} is part of a circle of imports: ${circle.join(' -> ')}`);
      return;
    }
    state.set(path, 'open');
    for (const next of graph.get(path)) visit(next, [...trail, path]);
    state.set(path, 'done');
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}

/** The sources of the checkout as `violations` takes them. */
export function readSources(root) {
  const walk = (directory) =>
    readdirSync(directory)
      .filter((name) => name !== 'node_modules' && name !== 'dist')
      .map((name) => join(directory, name))
      .flatMap((path) => (statSync(path).isDirectory() ? walk(path) : [path]));
  const files = ['libs', 'apps'].flatMap((folder) => walk(join(root, folder)));
  return Object.fromEntries(
    files
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
      .map((file) => [relative(root, file).split(sep).join('/'), readFileSync(file, 'utf8')]),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
  const found = violations(readSources(root));
  for (const message of found) console.error(message);
  if (found.length > 0) {
    console.error(`\n${found.length} imports break the rules of docs/how-it-works.md, "Who may import whom".`);
    process.exit(1);
  }
}
