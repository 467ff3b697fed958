declare module 'js-interpreter' {
  /** The constructor; what is used of it is typed in `syntax.ts`. */
  const Interpreter: { readonly prototype: object };
  // eslint-disable-next-line import/no-default-export -- the package is CommonJS: this is its module.exports
  export default Interpreter;
}
