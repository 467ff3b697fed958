import * as ts from 'typescript';
import type { Edits } from './edits.js';
import { SyntaxProblem } from './syntax-problem.js';

/** An enum's own text is blanked, and what TypeScript makes of it is inserted on its first line. */
export function lowerEnum(node: ts.EnumDeclaration, file: ts.SourceFile, edits: Edits): void {
  const start = node.getStart(file);
  const { outputText } = ts.transpileModule(node.getText(file), {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      isolatedModules: true,
      removeComments: true,
      newLine: ts.NewLineKind.LineFeed,
    },
  });
  if (outputText.includes('`'))
    throw new SyntaxProblem('Template literals do not work as enum values: use a plain string.', start);
  edits.blank(start, node.end);
  edits.insert(start, `;${outputText.replaceAll('\n', ' ')}`);
}

/** `constructor(private x)` assigns `this.x = x` first thing, or right after `super(...)`. */
export function lowerParameterProperties(node: ts.ConstructorDeclaration, file: ts.SourceFile, edits: Edits): void {
  const properties = node.parameters.filter((parameter) => parameter.modifiers?.some(ts.isModifier));
  if (properties.length === 0 || !node.body) return;
  const assignments = properties.map(({ name }) => `this.${name.getText(file)}=${name.getText(file)};`).join('');
  const { statements } = node.body;
  const superCall = statements.find(isSuperCall);
  if (superCall) {
    edits.insert(superCall.end, `;${assignments}`);
  } else if (containsSuperCall(node.body)) {
    throw new SyntaxProblem(
      'A constructor with parameter properties must call super(...) as a statement of its own.',
      node.getStart(file),
    );
  } else {
    edits.insert(node.body.getStart(file) + 1, assignments);
  }
}

function isSuperCall(statement: ts.Statement): boolean {
  return (
    ts.isExpressionStatement(statement) &&
    ts.isCallExpression(statement.expression) &&
    statement.expression.expression.kind === ts.SyntaxKind.SuperKeyword
  );
}

function containsSuperCall(node: ts.Node): boolean {
  if (ts.isClassLike(node)) return false;
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.SuperKeyword) return true;
  return ts.forEachChild(node, containsSuperCall) ?? false;
}
