/** A place in compiled code: 1-based line and column. */
export interface RawPosition {
  readonly line: number;
  readonly column: number;
}

/** One line of a call stack in compiled code. */
export interface RawFrame extends RawPosition {
  /** Name of the function, empty for the script itself. */
  readonly name: string;
}

/** An error as an engine reports it, in positions of the compiled code; `scripts/compiler` translates it for the author. */
export interface RawError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly position?: RawPosition;
  readonly frames?: readonly RawFrame[];
}
