import * as ts from 'typescript';
import type { EngineId, Language } from '../../protocol/script.js';
import { SyntaxProblem } from './syntax-problem.js';

/** A source that parsed. */
export interface ParsedScript {
  readonly file: ts.SourceFile;
  /** Whether there is an `await` outside of every function. */
  readonly async: boolean;
}

/**
 * Parses a whole program. As `await` is an identifier in old scripts, a source that does not parse with top-level
 * `await` is tried once more without it.
 * @throws SyntaxProblem with the first fault.
 */
export function parseScript(source: string, language: Language, engine: EngineId): ParsedScript {
  const file = parse(source, language, true);
  const fault = firstFault(file, engine);
  if (!fault) return { file, async: hasTopLevelAwait(file) };
  if (source.includes('await')) {
    const legacy = parse(source, language, false);
    if (!firstFault(legacy, engine) && !hasTopLevelAwait(legacy)) return { file: legacy, async: false };
  }
  throw fault;
}

function parse(source: string, language: Language, topLevelAwait: boolean): ts.SourceFile {
  const typescript = language === 'typescript';
  return ts.createSourceFile(
    typescript ? 'script.ts' : 'script.js',
    source,
    {
      languageVersion: ts.ScriptTarget.Latest,
      jsDocParsingMode: ts.JSDocParsingMode.ParseNone,
      // TypeScript reads `await (x)` as an await only in what it takes for a module.
      setExternalModuleIndicator: (file) => {
        (file as { externalModuleIndicator?: unknown }).externalModuleIndicator = topLevelAwait ? true : undefined;
      },
    },
    true,
    typescript ? ts.ScriptKind.TS : ts.ScriptKind.JS,
  );
}

/** `object?.#name` is ES2022; TypeScript parses it, complains, and lowers it wrongly. */
const PRIVATE_IN_OPTIONAL_CHAIN = 18030;

/** The parser's own faults; TypeScript's types do not show the property. */
function firstFault(file: ts.SourceFile, engine: EngineId): SyntaxProblem | undefined {
  const { parseDiagnostics } = file as unknown as { parseDiagnostics: ts.Diagnostic[] };
  const first = parseDiagnostics.find(({ code }) => engine === 'js-interpreter' || code !== PRIVATE_IN_OPTIONAL_CHAIN);
  if (!first) return undefined;
  return new SyntaxProblem(ts.flattenDiagnosticMessageText(first.messageText, ' '), first.start ?? 0);
}

function hasTopLevelAwait(file: ts.SourceFile): boolean {
  const visit = (node: ts.Node): boolean => {
    if (ts.isAwaitExpression(node)) return true;
    if (ts.isForOfStatement(node) && node.awaitModifier) return true;
    if (isFunctionBoundary(node)) return computedNameAwaits(node, visit);
    return ts.forEachChild(node, visit) ?? false;
  };
  return visit(file);
}

/** A function's body has an `await` of its own, but the computed name of a method is evaluated outside. */
function computedNameAwaits(node: ts.Node, visit: (node: ts.Node) => boolean): boolean {
  const { name } = node as { name?: ts.Node };
  return name !== undefined && ts.isComputedPropertyName(name) && visit(name.expression);
}

/** Whether a node starts a function body of its own: `await`, `return`, `arguments` inside belong to it. */
export function isFunctionBoundary(node: ts.Node): boolean {
  return (
    (ts.isFunctionLike(node) && !ts.isTypeNode(node)) ||
    ts.isClassStaticBlockDeclaration(node) ||
    (ts.isModuleDeclaration(node) && !!node.body)
  );
}
