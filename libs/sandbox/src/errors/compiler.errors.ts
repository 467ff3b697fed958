import { SandboxError } from './sandbox-error.js';

/** The thread that compiles scripts does not start: a fault of the installation, not of a script. */
export class CompilerUnavailableError extends SandboxError {
  readonly code = 'SANDBOX_COMPILER_UNAVAILABLE';
  constructor(file: string, cause: unknown) {
    super(
      `The compiler's thread does not start from ${file}: check that the package "nestjs-sandbox" is installed (or built) whole, and that "typescript" is installed beside it.`,
      { file },
      cause,
    );
  }
}

/** A script was to be compiled after the compiler was closed. */
export class CompilerClosedError extends SandboxError {
  readonly code = 'SANDBOX_COMPILER_CLOSED';
  constructor() {
    super('The script compiler is closed: compile before the application shuts down, or create another one.');
  }
}
