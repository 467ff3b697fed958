/** Collects the parameters of one statement; values never become part of its text. */
export class Parameters {
  /** `values` may hold parameters already; those added come behind them. */
  constructor(readonly values: unknown[] = []) {}

  /** Adds a value; returns its placeholder. Usable as a bare function. */
  readonly add = (value: unknown): string => `$${this.values.push(value)}`;
}
