import * as ts from 'typescript';
import { checkEarlyErrors } from './early-errors.js';
import { type Insertions, offsetFinder } from './edits.js';
import { countUpTo, lineStarts } from './line-starts.js';
import { decodeMappings, encodeMappings, type Segment } from './source-map.js';
import { SyntaxProblem } from './syntax-problem.js';

/** An ES5 function body, and its source map to the author's text. */
export interface LoweredScript {
  readonly code: string;
  readonly mappings: string;
}

/** The script's own function, where it waits at its top level. */
const ASYNC_PREFIX = 'return (async function () {';
const ASYNC_SUFFIX = '\n}).call(this);';

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES5,
  ignoreDeprecations: '6.0',
  allowJs: true,
  alwaysStrict: false,
  downlevelIteration: true,
  // The realm of js-interpreter holds the helpers.
  noEmitHelpers: true,
  useDefineForClassFields: true,
  removeComments: true,
  sourceMap: true,
  newLine: ts.NewLineKind.LineFeed,
};

/**
 * Lowers a function body of ES2023 to ES5 with TypeScript's own transforms. What ES5 has no syntax for and the transforms
 * leave alone (big integers, newer flags of regular expressions) becomes a call of the library.
 * @param body The body, as compiled for quickjs.
 * @param insertions Where that body differs from the author's source.
 * @throws SyntaxProblem for early errors that TypeScript does not know, and regular expressions that are none.
 */
export function lowerToEs5(body: string, insertions: Insertions, source: string, async: boolean): LoweredScript {
  const prefix = async ? ASYNC_PREFIX : '';
  const text = async ? prefix + body + ASYNC_SUFFIX : body;
  const original = offsetFinder(insertions);
  checkEarlyErrors(body, async, (offset) => original(Math.max(0, offset)));
  const place = (offset: number): number => original(Math.max(0, offset - prefix.length));
  const { outputText, sourceMapText } = ts.transpileModule(text, {
    fileName: 'script.js',
    compilerOptions: OPTIONS,
    transformers: { before: [replaceLiterals(place)] },
  });
  const { mappings } = JSON.parse(sourceMapText!) as { mappings: string };
  return {
    code: outputText.replace(/\/\/# sourceMappingURL=.*\s*$/, ''),
    mappings: translate(mappings, text, source, place),
  };
}

function replaceLiterals(place: (offset: number) => number): ts.TransformerFactory<ts.SourceFile> {
  return (context) => {
    const { factory } = context;
    const make = (constructor: string, texts: readonly string[], isNew: boolean, node: ts.Node): ts.Expression => {
      const args = texts.map((each) => factory.createStringLiteral(each));
      const callee = factory.createIdentifier(constructor);
      const made = isNew
        ? factory.createNewExpression(callee, undefined, args)
        : factory.createCallExpression(callee, undefined, args);
      return ts.setTextRange(made, node);
    };
    const visit = (node: ts.Node): ts.Node => {
      // The two are line ends to ES5, also inside of a text; a literal made anew has them escaped.
      if (ts.isStringLiteral(node) && /[\u2028\u2029]/.test(node.text))
        return ts.setTextRange(factory.createStringLiteral(node.text), node);
      // `const {} = null` must throw, and ES5 gets no pattern that does nothing: one property is read.
      if (ts.isObjectBindingPattern(node) && node.elements.length === 0) {
        const unused = factory.createUniqueName('unused');
        const element = factory.createBindingElement(undefined, factory.createStringLiteral(''), unused);
        return ts.setTextRange(factory.createObjectBindingPattern([element]), node);
      }
      if (ts.isBigIntLiteral(node)) return make('BigInt', [node.text.slice(0, -1)], false, node);
      if (ts.isRegularExpressionLiteral(node)) {
        const [pattern, flags] = splitRegExp(node.text);
        checkRegExp(pattern, flags, place(node.end - node.text.length));
        return /[^gim]/.test(flags) ? make('RegExp', [pattern, flags], true, node) : node;
      }
      return ts.visitEachChild(node, visit, context);
    };
    return (file) => ts.visitNode(file, visit) as ts.SourceFile;
  };
}

function splitRegExp(text: string): [pattern: string, flags: string] {
  const end = text.lastIndexOf('/');
  return [text.slice(1, end), text.slice(end + 1)];
}

function checkRegExp(pattern: string, flags: string, offset: number): void {
  try {
    void new RegExp(pattern, flags);
  } catch (error) {
    throw new SyntaxProblem(error instanceof Error ? error.message : 'Invalid regular expression', offset);
  }
}

/** Maps TypeScript's positions in its input on to the author's. */
function translate(mappings: string, text: string, source: string, place: (offset: number) => number): string {
  // TypeScript also counts U+2028 and U+2029 as line ends; editors, and so the author's positions, do not.
  const inputLines = lineStarts(text, /\r\n|[\n\r\u2028\u2029]/g);
  const authorLines = lineStarts(source, /\r\n|\r|\n/g);
  const locate = (segment: Segment): Segment => {
    const offset = Math.min(place((inputLines[segment.line] ?? 0) + segment.column), source.length);
    const line = countUpTo(authorLines, offset) - 1;
    return { generatedColumn: segment.generatedColumn, line, column: offset - authorLines[line]! };
  };
  return encodeMappings(decodeMappings(mappings).map((segments) => segments.map(locate)));
}
