import type { ScriptRun } from '../../libs/sandbox/src/processor/pool/script-runner.js';

/** A hostile program, and the outcomes it may have or the value it must give. */
export interface HostileProgram {
  readonly category: string;
  readonly title: string;
  readonly source: string;
  readonly expected: readonly string[] | { readonly value: unknown };
  readonly run: Partial<ScriptRun>;
}
export const programs: readonly HostileProgram[];
