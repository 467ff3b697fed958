import * as ts from 'typescript';
import type { Edits } from './edits.js';
import { isFunctionBoundary } from './parse.js';

/**
 * Makes the body of a function return what `eval` of the same text would give: the value of the expression statement
 * executed last (ECMA-262, "UpdateEmpty"). Where that is simply the last statement, `return (...)` is put before it;
 * else the statements that may be last assign a variable, reset where the specification says `undefined`.
 * Returns the statements that were put in parentheses, and so end with a semicolon now.
 */
export function returnCompletionValue(file: ts.SourceFile, edits: Edits): ReadonlySet<ts.Node> {
  const wrapped = new Set<ts.Node>();
  const directives = countDirectives(file);
  const last = lastValue(file.statements);
  if (last < 0) return wrapped;
  const statement = file.statements[last]!;
  if (last < directives) {
    edits.insert(file.end, `\n;return ${(statement as ts.ExpressionStatement).expression.getText(file)}`);
  } else if (ts.isExpressionStatement(statement) && file.statements.slice(last + 1).every(runsNothing)) {
    wrapExpression(statement, 'return (', file, edits);
    wrapped.add(statement);
  } else {
    const rewriter = new CompletionRewriter(file, edits, freeName(file.text), wrapped);
    rewriter.list(file.statements.slice(Math.max(directives, firstThatMatters(file.statements, last))));
    edits.insert(file.end, `\n;var ${rewriter.variable};return ${rewriter.variable}`);
  }
  return wrapped;
}

function countDirectives(file: ts.SourceFile): number {
  const first = file.statements.findIndex(
    (statement) => !(ts.isExpressionStatement(statement) && ts.isStringLiteral(statement.expression)),
  );
  return first < 0 ? file.statements.length : first;
}

/** Index of the last statement that may yield a value, or -1. */
function lastValue(statements: readonly ts.Statement[]): number {
  return statements.findLastIndex(mayYield);
}

/** Statements before this one cannot be the completion value: it always yields one. */
function firstThatMatters(statements: readonly ts.Statement[], last: number): number {
  for (let index = last; index > 0; index--) if (alwaysYields(statements[index]!)) return index;
  return 0;
}

function mayYield(statement: ts.Statement): boolean {
  if (ts.isBlock(statement)) return statement.statements.some(mayYield);
  if (ts.isLabeledStatement(statement)) return mayYield(statement.statement);
  return alwaysYields(statement);
}

function alwaysYields(statement: ts.Statement): boolean {
  return ts.isExpressionStatement(statement) || isCompound(statement);
}

/** Statements whose value is `undefined` where nothing inside them yields one. */
function isCompound(statement: ts.Statement): boolean {
  return (
    ts.isIfStatement(statement) ||
    ts.isIterationStatement(statement, false) ||
    ts.isSwitchStatement(statement) ||
    ts.isTryStatement(statement) ||
    ts.isWithStatement(statement)
  );
}

/** Statements that may follow a `return` and lose nothing. */
function runsNothing(statement: ts.Statement): boolean {
  return (
    ts.isFunctionDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    statement.kind === ts.SyntaxKind.EmptyStatement
  );
}

/** A name that no name of the source begins with, escapes in names (`\\u0061`) considered. */
function freeName(source: string): string {
  const read = source.replace(/\\u(?:\{([\da-f]+)\}|([\da-f]{4}))/gi, (_escape, braced?: string, four?: string) =>
    String.fromCharCode(Number.parseInt(braced ?? four!, 16)),
  );
  let name = '$value';
  for (let suffix = 1; source.includes(name) || read.includes(name); suffix++) name = `$value${suffix}`;
  return name;
}

/** Whether a block may be left by `break` or `continue`. */
function jumps(node: ts.Node): boolean {
  if (ts.isBreakOrContinueStatement(node)) return true;
  return !isFunctionBoundary(node) && (ts.forEachChild(node, jumps) ?? false);
}

/** A statement without its own semicolon gets one: what follows must not read on after the closing parenthesis. */
function wrapExpression(statement: ts.ExpressionStatement, before: string, file: ts.SourceFile, edits: Edits): void {
  edits.insert(statement.expression.getStart(file), before);
  edits.insert(statement.expression.end, file.text[statement.end - 1] === ';' ? ')' : ');');
}

class CompletionRewriter {
  private saved = 0;

  constructor(
    private readonly file: ts.SourceFile,
    private readonly edits: Edits,
    readonly variable: string,
    private readonly wrapped: Set<ts.Node>,
  ) {}

  /** Statements of a block, a clause or the script: a reset can stand before each of them. */
  list(statements: readonly ts.Statement[]): void {
    for (const statement of statements) {
      if (isCompound(unlabelled(statement))) this.edits.insert(statement.getStart(this.file), this.reset);
      this.inside(statement);
    }
  }

  private get reset(): string {
    return `${this.variable}=void 0;`;
  }

  /** The lone statement of a loop, which comes round again: a reset needs a block around the two. */
  private body(statement: ts.Statement): void {
    const wrapped = isCompound(unlabelled(statement));
    if (wrapped) this.edits.insert(statement.getStart(this.file), `{${this.reset}`);
    this.inside(statement);
    if (wrapped) this.edits.insert(statement.end, '}');
  }

  private inside(statement: ts.Statement): void {
    if (ts.isExpressionStatement(statement)) this.assign(statement);
    else if (ts.isBlock(statement)) this.list(statement.statements);
    else if (ts.isLabeledStatement(statement)) this.inside(statement.statement);
    else if (ts.isIfStatement(statement)) this.ifStatement(statement);
    else if (ts.isIterationStatement(statement, false) || ts.isWithStatement(statement)) this.body(statement.statement);
    else if (ts.isSwitchStatement(statement))
      for (const clause of statement.caseBlock.clauses) this.list(clause.statements);
    else if (ts.isTryStatement(statement)) this.tryStatement(statement);
  }

  private assign(statement: ts.ExpressionStatement): void {
    wrapExpression(statement, `${this.variable}=(`, this.file, this.edits);
    this.wrapped.add(statement);
  }

  /** The reset before the `if` holds for its branches. */
  private ifStatement(statement: ts.IfStatement): void {
    this.inside(statement.thenStatement);
    if (statement.elseStatement) this.inside(statement.elseStatement);
  }

  /** A `catch` starts anew. */
  private tryStatement(statement: ts.TryStatement): void {
    this.list(statement.tryBlock.statements);
    if (statement.catchClause) {
      this.edits.insert(statement.catchClause.block.getStart(this.file) + 1, this.reset);
      this.list(statement.catchClause.block.statements);
    }
    if (statement.finallyBlock && jumps(statement.finallyBlock)) this.finallyBlock(statement.finallyBlock);
  }

  /** What `finally` evaluates is thrown away where it runs to its end, and counts where it jumps. */
  private finallyBlock(block: ts.Block): void {
    const before = `${this.variable}_${++this.saved}`;
    this.edits.insert(block.getStart(this.file) + 1, `var ${before}=${this.variable};${this.reset}`);
    this.list(block.statements);
    this.edits.insert(block.end - 1, `;${this.variable}=${before};`);
  }
}

function unlabelled(statement: ts.Statement): ts.Statement {
  return ts.isLabeledStatement(statement) ? unlabelled(statement.statement) : statement;
}
