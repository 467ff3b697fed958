import { SandboxError } from './sandbox-error.js';

/** An option of `SandboxModule` that is missing, unknown or of no use; thrown once, at boot. */
export class InvalidOptionError extends SandboxError {
  readonly code = 'SANDBOX_INVALID_OPTION';
  constructor(
    /** Where it stands: `limits.cpuMs`. */
    readonly path: string,
    problem: string,
    value?: unknown,
  ) {
    super(`${path}: ${problem}`, { path, value });
  }
}
