import * as ts from 'typescript';
import type { Edits } from './edits.js';

/**
 * TypeScript's ES5 scanner and the parser of js-interpreter know the letters of an older Unicode, and few escapes in
 * names. Such names of variables and private members are replaced, those of properties become texts; names of helpers, too.
 */
export function plainNames(file: ts.SourceFile, edits: Edits): void {
  const visit = (node: ts.Node, parent: ts.Node, outer: ts.Node): void => {
    if ((ts.isIdentifier(node) || ts.isPrivateIdentifier(node)) && isForeign(node, file)) rename(node, parent, outer);
    ts.forEachChild(node, (child) => visit(child, node, parent));
  };
  const rename = (node: ts.Identifier | ts.PrivateIdentifier, parent: ts.Node, outer: ts.Node): void => {
    const start = node.getStart(file);
    const text = JSON.stringify(node.text);
    const role = ts.isPrivateIdentifier(node) ? 'name' : roleOf(node, parent, outer);
    edits.blank(start, node.end);
    if (role === 'member') {
      // `object.name`: the dot goes, unless it belongs to `?.`.
      const dot = file.text.lastIndexOf('.', start);
      if (file.text[dot - 1] !== '?') edits.put(dot, ' ');
      edits.insert(start, `[${text}]`);
    } else if (role === 'key') edits.insert(start, text);
    else if (role === 'shorthand') edits.insert(start, `${text}:${plain(node.text)}`);
    else edits.insert(start, plain(node.text));
  };
  visit(file, file, file);
}

function roleOf(node: ts.Identifier, parent: ts.Node, outer: ts.Node): 'member' | 'key' | 'shorthand' | 'name' {
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) return 'member';
  if (ts.isShorthandPropertyAssignment(parent) && parent.name === node) return 'shorthand';
  if (ts.isBindingElement(parent)) {
    if (parent.propertyName === node) return 'key';
    return ts.isObjectBindingPattern(outer) && !parent.dotDotDotToken && !parent.propertyName ? 'shorthand' : 'name';
  }
  const named = ts.isPropertyAssignment(parent) || ts.isMethodDeclaration(parent) || ts.isPropertyDeclaration(parent);
  return (named || ts.isAccessor(parent)) && parent.name === node ? 'key' : 'name';
}

/** What TypeScript's output calls in the realm: a script's own variable of that name must not stand in its way. */
const HELPER =
  /^__(?:assign|asyncDelegator|asyncGenerator|asyncValues|await|awaiter|classPrivateField(?:Get|In|Set)|extends|generator|makeTemplateObject|propKey|read|rest|setFunctionName|spreadArray|values)$/;

/** Letters, digits, `$` and `_`, and the letters of scripts that have been in Unicode for long. */
function isForeign(node: ts.Identifier | ts.PrivateIdentifier, file: ts.SourceFile): boolean {
  const written = file.text.slice(node.getStart(file), node.end);
  return (
    written !== '' &&
    (HELPER.test(node.text) || /[^\w$#\u00c0-\u024f\u0370-\u03ff\u0400-\u0481\u3041-\u3096\u4e00-\u9fa5]/.test(written))
  );
}

function plain(name: string): string {
  if (HELPER.test(name)) return `$u${name}`;
  return name.replace(/[^\w$#]/gu, (each) => `$u${each.codePointAt(0)!.toString(16)}`);
}
