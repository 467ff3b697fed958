import * as ts from 'typescript';
import type { Edits } from './edits.js';
import { lowerEnum, lowerParameterProperties } from './lower-typescript.js';
import { SyntaxProblem } from './syntax-problem.js';

/**
 * Blanks out whatever TypeScript adds to JavaScript, without moving a character (the idea of ts-blank-space): what is
 * left has the author's own lines and columns. Enums and parameter properties are lowered by insertion.
 * `closed` are statements that need no semicolon of their own any more.
 * @throws SyntaxProblem for namespaces, which exist at run time and which no engine has.
 */
export function stripTypes(file: ts.SourceFile, edits: Edits, closed: ReadonlySet<ts.Node>): void {
  new TypeStripper(file, edits, closed).statements(file.statements);
}

/** In JavaScript, what `stripTypes` would remove is an error of the author's. */
export function refuseTypes(file: ts.SourceFile): void {
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) refuse(node);
    if (isTypeStatement(node) || ts.isAsExpression(node) || ts.isSatisfiesExpression(node)) refuse(node);
    if (ts.isNonNullExpression(node) || ts.isTypeParameterDeclaration(node) || isTypeModifier(node)) refuse(node);
    ts.forEachChild(node, visit);
  };
  const refuse = (node: ts.Node): never => {
    throw new SyntaxProblem(
      'This is TypeScript, but the script is declared as JavaScript: deploy it with language "typescript".',
      node.getStart(file),
    );
  };
  visit(file);
}

const TYPE_MODIFIERS: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.AbstractKeyword,
  ts.SyntaxKind.DeclareKeyword,
  ts.SyntaxKind.OverrideKeyword,
  ts.SyntaxKind.PrivateKeyword,
  ts.SyntaxKind.ProtectedKeyword,
  ts.SyntaxKind.PublicKeyword,
  ts.SyntaxKind.ReadonlyKeyword,
  ts.SyntaxKind.ConstKeyword,
]);

function isTypeModifier(node: ts.Node): boolean {
  return ts.isModifier(node) && TYPE_MODIFIERS.has(node.kind);
}

function isTypeStatement(node: ts.Node): boolean {
  return (
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isEnumDeclaration(node) ||
    ts.isModuleDeclaration(node)
  );
}

function hasModifier(node: ts.Node, kind: ts.SyntaxKind): boolean {
  return ts.canHaveModifiers(node) && (node.modifiers?.some((modifier) => modifier.kind === kind) ?? false);
}

class TypeStripper {
  private readonly source: string;

  constructor(
    private readonly file: ts.SourceFile,
    private readonly edits: Edits,
    private readonly closed: ReadonlySet<ts.Node>,
  ) {
    this.source = file.text;
  }

  statements(statements: readonly ts.Statement[]): void {
    for (const statement of statements) this.visit(statement);
  }

  private readonly visit = (node: ts.Node): void => {
    if (this.removed(node)) return this.blankStatement(node);
    if (ts.isEnumDeclaration(node)) return lowerEnum(node, this.file, this.edits);
    this.refuse(node);
    if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) return;
    this.annotations(node);
    if (ts.isTypeAssertionExpression(node)) {
      this.edits.blank(node.getStart(this.file), node.expression.getStart(this.file));
    } else if (ts.isAsExpression(node) || ts.isSatisfiesExpression(node) || ts.isNonNullExpression(node)) {
      this.edits.blank(node.expression.end, node.end);
    }
    ts.forEachChild(node, this.visit);
    if (endsStatement(node) && !this.closed.has(node)) this.keepEnd(node);
  };

  /** What exists for the type checker alone. */
  private removed(node: ts.Node): boolean {
    if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) || ts.isIndexSignatureDeclaration(node))
      return true;
    if (ts.isModuleDeclaration(node) && isTypeOnly(node)) return true;
    if (hasModifier(node, ts.SyntaxKind.DeclareKeyword) && !ts.isParameter(node)) return true;
    if (ts.isClassElement(node) && hasModifier(node, ts.SyntaxKind.AbstractKeyword)) return true;
    const overload =
      ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node) || ts.isConstructorDeclaration(node);
    return overload && !node.body;
  }

  /** The semicolon keeps the lines before and after apart. */
  private blankStatement(node: ts.Node): void {
    const start = node.getStart(this.file);
    this.edits.blank(start, node.end);
    this.edits.put(start, ';');
  }

  private refuse(node: ts.Node): void {
    if (ts.isModuleDeclaration(node))
      throw new SyntaxProblem(
        'Namespaces do not work in scripts: use an object, or plain functions.',
        node.getStart(this.file),
      );
  }

  private annotations(node: ts.Node): void {
    if (ts.isClassLike(node)) this.classHeader(node);
    if (ts.isFunctionLike(node)) this.signature(node);
    else if (hasTypeArguments(node)) this.typeList(node.typeArguments);
    if (ts.isVariableDeclaration(node) || ts.isParameter(node) || ts.isPropertyDeclaration(node)) this.binding(node);
    if (ts.isPropertyDeclaration(node) || ts.isMethodDeclaration(node) || ts.isAccessor(node)) this.modifiers(node);
    if (ts.isConstructorDeclaration(node)) {
      this.modifiers(node);
      lowerParameterProperties(node, this.file, this.edits);
    }
  }

  private classHeader(node: ts.ClassLikeDeclaration): void {
    this.typeList(node.typeParameters);
    for (const modifier of node.modifiers ?? [])
      if (isTypeModifier(modifier)) this.edits.blank(modifier.getStart(this.file), modifier.end);
    for (const clause of node.heritageClauses ?? [])
      if (clause.token === ts.SyntaxKind.ImplementsKeyword) this.edits.blank(clause.getStart(this.file), clause.end);
  }

  private signature(node: ts.SignatureDeclaration): void {
    this.typeList(node.typeParameters);
    if ('questionToken' in node && node.questionToken) this.token(node.questionToken as ts.Node);
    const [first] = node.parameters;
    if (first && ts.isIdentifier(first.name) && first.name.text === 'this') this.thisParameter(first);
    if (!node.type) return;
    this.edits.blank(node.type.pos - 1, node.type.end);
    if (ts.isArrowFunction(node)) this.keepArrow(node, node.type);
  }

  /** No line break may stand before `=>`: where the type holds one, the closing parenthesis moves behind it. */
  private keepArrow(node: ts.ArrowFunction, type: ts.TypeNode): void {
    const close = this.source.lastIndexOf(')', type.pos - 1);
    if (!/[\n\r\u2028\u2029]/.test(this.source.slice(close, node.equalsGreaterThanToken.getStart(this.file)))) return;
    this.edits.put(close, ' ');
    this.edits.put(type.end - 1, ')');
  }

  private thisParameter(node: ts.ParameterDeclaration): void {
    const next = nextToken(this.source, node.end);
    this.edits.blank(node.getStart(this.file), this.source[next] === ',' ? next + 1 : node.end);
  }

  private binding(node: ts.VariableDeclaration | ts.ParameterDeclaration | ts.PropertyDeclaration): void {
    if ('questionToken' in node && node.questionToken) this.token(node.questionToken);
    if ('exclamationToken' in node && node.exclamationToken) this.token(node.exclamationToken);
    if (node.type) this.edits.blank(node.type.pos - 1, node.type.end);
    if (ts.isParameter(node))
      for (const modifier of node.modifiers ?? [])
        if (ts.isModifier(modifier)) this.edits.blank(modifier.getStart(this.file), modifier.end);
  }

  /** A blanked first modifier becomes a semicolon, or the field above would read on into this one's `[` or `(`. */
  private modifiers(node: ts.ClassElement & { readonly modifiers?: ts.NodeArray<ts.ModifierLike> }): void {
    for (const [index, modifier] of (node.modifiers ?? ([] as ts.ModifierLike[])).entries()) {
      if (!isTypeModifier(modifier)) continue;
      const start = modifier.getStart(this.file);
      this.edits.blank(start, modifier.end);
      if (index === 0) this.edits.put(start, ';');
    }
  }

  /** `<...>`, brackets included. */
  private typeList(list: ts.NodeArray<ts.Node> | undefined): void {
    if (list) this.edits.blank(list.pos - 1, nextToken(this.source, list.end) + 1);
  }

  private token(token: ts.Node): void {
    this.edits.blank(token.getStart(this.file), token.end);
  }

  /** A statement that relied on the end of its line, and whose last characters are blanked now, gets a semicolon. */
  private keepEnd(node: ts.Node): void {
    const last = lastNode(node);
    if (this.source[node.end - 1] === ';' || !last) return;
    if (ts.isTypeNode(last) || ts.isAsExpression(last) || ts.isSatisfiesExpression(last))
      this.edits.put(node.end - 1, ';');
  }
}

function isTypeOnly(node: ts.ModuleDeclaration): boolean {
  if (hasModifier(node, ts.SyntaxKind.DeclareKeyword)) return true;
  const { body } = node;
  if (!body) return true;
  if (ts.isModuleDeclaration(body)) return isTypeOnly(body);
  return (
    ts.isModuleBlock(body) &&
    body.statements.every((child) => ts.isInterfaceDeclaration(child) || ts.isTypeAliasDeclaration(child))
  );
}

function hasTypeArguments(node: ts.Node): node is ts.Node & { typeArguments: ts.NodeArray<ts.TypeNode> } {
  const carries =
    ts.isCallExpression(node) ||
    ts.isNewExpression(node) ||
    ts.isTaggedTemplateExpression(node) ||
    ts.isExpressionWithTypeArguments(node);
  return carries && node.typeArguments !== undefined;
}

function endsStatement(node: ts.Node): boolean {
  return (
    ts.isExpressionStatement(node) ||
    ts.isVariableStatement(node) ||
    ts.isReturnStatement(node) ||
    ts.isThrowStatement(node) ||
    ts.isPropertyDeclaration(node)
  );
}

/** The outermost node inside this one that ends where it ends and is a type, `as` or `satisfies`. */
function lastNode(node: ts.Node): ts.Node | undefined {
  let found: ts.Node | undefined;
  ts.forEachChild(node, (child) => {
    if (child.end === node.end) found = child;
  });
  if (!found || ts.isTypeNode(found) || ts.isAsExpression(found) || ts.isSatisfiesExpression(found)) return found;
  return lastNode(found);
}

/** Offset of the next character that is neither white space nor part of a comment. */
function nextToken(source: string, from: number): number {
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, true, ts.LanguageVariant.Standard, source, undefined, from);
  scanner.scan();
  return scanner.getTokenStart();
}
