/** The engines a script may run on. */
export type EngineId = 'quickjs' | 'js-interpreter';

/** Every engine, the default first. */
export const ENGINES: readonly EngineId[] = ['quickjs', 'js-interpreter'];

/** Where the threads of a pool live: in this process, or in a supervised child. */
export type Isolation = 'thread' | 'process';

/** Every isolation. */
export const ISOLATIONS: readonly Isolation[] = ['thread', 'process'];

/** What a script is written in. */
export type Language = 'javascript' | 'typescript';

/**
 * Maps positions of compiled code back to the author's source. Either a list of insertions into otherwise unmoved text
 * (quickjs: `[offset in the compiled code, inserted characters]`, ascending), or a source map version 3 (js-interpreter).
 */
export type PositionMap =
  | { readonly kind: 'insertions'; readonly insertions: readonly (readonly [offset: number, length: number])[] }
  | { readonly kind: 'source-map'; readonly mappings: string };

/** What the compiler makes of a source: what a thread needs to run it. Plain data, cacheable, storable as JSON. */
export interface CompiledScript {
  readonly engine: EngineId;
  /** SHA-256 (hex) over engine, language, compiler version and source: the key of every cache. */
  readonly hash: string;
  /**
   * The body of a function whose return value is the script's value. quickjs: ES2023, line numbers as in the source;
   * js-interpreter: ES5.
   */
  readonly code: string;
  /** Whether the body contains a top-level `await` (the function has to be async). */
  readonly async: boolean;
  readonly positions: PositionMap;
}
