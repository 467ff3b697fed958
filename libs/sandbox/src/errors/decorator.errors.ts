import { describeValue, SandboxError } from './sandbox-error.js';

/** A decorator was given options that make no sense; thrown when the class is defined, or when a database with it is opened. */
export class InvalidDecoratorError extends SandboxError {
  readonly code = 'SANDBOX_INVALID_DECORATOR';
  constructor(where: string, option: string, value: unknown, remedy: string) {
    super(`${where}: option "${option}" cannot be ${describeValue(value)}: ${remedy}.`, { where, option, value });
  }
}
