import * as ts from 'typescript';
import type { EngineId } from '../../protocol/script.js';
import { isFunctionBoundary } from './parse.js';
import { SyntaxProblem } from './syntax-problem.js';

/**
 * What parses, but cannot be in a script: refused with a reason, before any of it is put into a function.
 * @throws SyntaxProblem at the first such construct.
 */
export function checkScript(file: ts.SourceFile, engine: EngineId): void {
  const refuse = (node: ts.Node, message: string): never => {
    throw new SyntaxProblem(message, node.getStart(file));
  };
  const visit = (node: ts.Node, inFunction: boolean, inRegularFunction: boolean): void => {
    const message = moduleSyntax(node) ?? (inFunction ? undefined : onlyInFunctions(node));
    if (message) refuse(node, message);
    if (!inRegularFunction && isNewTarget(node)) refuse(node, '"new.target" works only inside a function.');
    if (engine === 'js-interpreter' && isMethodOfObject(node) && usesSuper(node))
      refuse(node, '"super" in an object literal does not work on js-interpreter: use a class, or the engine quickjs.');
    if (isHtmlComment(node, file)) refuse(node, 'HTML-like comments ("<!--") do not work in scripts; use "//".');
    // What a namespace exports stays inside it.
    if (ts.isModuleDeclaration(node)) return;
    const boundary = isFunctionBoundary(node);
    const regular = boundary && !ts.isArrowFunction(node);
    ts.forEachChild(node, (child) =>
      visit(child, inFunction || boundary, inRegularFunction || regular || isField(node)),
    );
  };
  visit(file, false, false);
}

function moduleSyntax(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isImportEqualsDeclaration(node))
    return 'A script cannot import modules; what it may use is on "context".';
  if (ts.isExportDeclaration(node) || ts.isExportAssignment(node) || hasExportModifier(node))
    return 'A script has nothing to export to: give its result with setResult(value), or as its last expression.';
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    return 'A script cannot import modules; what it may use is on "context".';
  if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword)
    return '"import.meta" does not exist in scripts.';
  if (ts.isDecorator(node))
    return 'Decorators do not work in scripts: call the function around the class or method yourself.';
  if (ts.isJsxElement(node) || ts.isJsxSelfClosingElement(node) || ts.isJsxFragment(node))
    return 'JSX does not work in scripts: build the text with template literals.';
  return undefined;
}

function hasExportModifier(node: ts.Node): boolean {
  return (
    ts.canHaveModifiers(node) &&
    (node.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword) ?? false)
  );
}

function isMethodOfObject(node: ts.Node): boolean {
  return (ts.isMethodDeclaration(node) || ts.isAccessor(node)) && ts.isObjectLiteralExpression(node.parent);
}

/** Whether a method names `super`; that of methods inside it is their own. */
function usesSuper(node: ts.Node): boolean {
  return (
    ts.forEachChild(node, (child) => {
      if (child.kind === ts.SyntaxKind.SuperKeyword) return true;
      return !(ts.isFunctionLike(child) && !ts.isArrowFunction(child)) && !ts.isClassLike(child) && usesSuper(child);
    }) ?? false
  );
}

function onlyInFunctions(node: ts.Node): string | undefined {
  if (ts.isReturnStatement(node))
    return '"return" works only inside a function: give the result with setResult(value), or as the last expression.';
  return undefined;
}

function isNewTarget(node: ts.Node): boolean {
  return ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.NewKeyword;
}

function isField(node: ts.Node): boolean {
  return ts.isPropertyDeclaration(node);
}

/**
 * `a<!--b`: an engine takes the rest of the line for a comment where TypeScript sees operators. The two readings could
 * be played against each other to close the function a script is put into. (`-->` at a line's start never parses.)
 */
function isHtmlComment(node: ts.Node, file: ts.SourceFile): boolean {
  return (
    ts.isBinaryExpression(node) &&
    node.operatorToken.kind === ts.SyntaxKind.LessThanToken &&
    file.text.startsWith('<!--', node.operatorToken.getStart(file))
  );
}
