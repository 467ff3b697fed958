import * as ts from 'typescript';
import type { Edits } from './edits.js';

type Owner = ts.FunctionLikeDeclaration | undefined;

/**
 * TypeScript's ES5 transform leaves `arguments` in arrow functions as it is, where it would be the wrong function's. It is
 * replaced by a variable of the function that the arrow function is in.
 */
export function bindArrowArguments(file: ts.SourceFile, edits: Edits): void {
  const name = freeName(file.text);
  const bound = new Set<ts.Node>();
  const visit = (node: ts.Node, parent: ts.Node, owner: Owner, inArrow: boolean): void => {
    if (inArrow && owner?.body && isArguments(node, parent)) {
      edits.blank(node.getStart(file), node.end);
      edits.insert(node.getStart(file), name);
      if (!bound.has(owner)) edits.insert(afterDirectives(owner.body, file), `;var ${name}=arguments;`);
      bound.add(owner);
    }
    const regular = ts.isFunctionLike(node) && !ts.isArrowFunction(node) && 'body' in node;
    ts.forEachChild(node, (child) =>
      regular
        ? visit(child, node, node as ts.FunctionLikeDeclaration, false)
        : visit(child, node, owner, inArrow || ts.isArrowFunction(node)),
    );
  };
  if (file.text.includes('arguments')) ts.forEachChild(file, (child) => visit(child, file, undefined, false));
}

function freeName(source: string): string {
  let name = '$arguments';
  while (source.includes(name)) name += '$';
  return name;
}

/** An `arguments` that is a value, not the name of a property. */
function isArguments(node: ts.Node, parent: ts.Node): boolean {
  if (!ts.isIdentifier(node) || node.text !== 'arguments') return false;
  if (ts.isShorthandPropertyAssignment(parent)) return false;
  return !('name' in parent && parent.name === node);
}

function afterDirectives(body: ts.ConciseBody, file: ts.SourceFile): number {
  if (!ts.isBlock(body)) return body.getStart(file);
  let at = body.getStart(file) + 1;
  for (const statement of body.statements) {
    if (!ts.isExpressionStatement(statement) || !ts.isStringLiteral(statement.expression)) break;
    at = statement.end;
  }
  return at;
}
