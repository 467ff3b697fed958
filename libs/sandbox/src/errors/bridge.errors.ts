import { describeValue, SandboxError } from './sandbox-error.js';

/**
 * Base of the errors that a script may see as they are: name, message and code. They speak only of what the script itself
 * sent and of names its tenant knows. Every other error becomes a neutral one before it reaches a script.
 */
export abstract class ScriptFacingError extends SandboxError {}

/**
 * For the methods of a `@BridgeService`: thrown by one, it reaches the script with its message and code. Any other error
 * a method throws reaches the script as a neutral one, because its text may tell something of the host.
 */
export class BridgeError extends ScriptFacingError {
  readonly code: string;
  constructor(code: string, message: string, options?: { readonly cause?: unknown }) {
    super(message, {}, options?.cause);
    this.code = code;
  }
}

/** Something in a query is not as a query has to be; `where` is the path to it. */
export class InvalidQueryError extends ScriptFacingError {
  readonly code = 'SANDBOX_INVALID_QUERY';
  constructor(where: string, problem: string) {
    super(`Invalid query: ${where} ${problem}`, { where });
  }
}

/** Something in an execute request is not as it has to be; `where` is the path to it. */
export class InvalidExecuteError extends ScriptFacingError {
  readonly code = 'SANDBOX_INVALID_EXECUTE';
  constructor(where: string, problem: string) {
    super(`Invalid execute request: ${where} ${problem}`, { where });
  }
}

/** An entity that does not exist, or that no `@ScriptAccess` opens that way. The two look the same on purpose. */
export class UnknownEntityError extends ScriptFacingError {
  readonly code = 'SANDBOX_UNKNOWN_ENTITY';
  constructor(name: unknown, right: 'read' | 'write', near: readonly string[]) {
    super(`There is no entity ${describeValue(name)} that scripts may ${right}.${suggest(near)}`, {
      entity: name,
      near,
    });
  }
}

/** A field or relation that does not exist, or that no `@ScriptAccess` opens that way. The two look the same on purpose. */
export class UnknownFieldError extends ScriptFacingError {
  readonly code = 'SANDBOX_UNKNOWN_FIELD';
  constructor(entity: string, name: string, right: 'read' | 'write', near: readonly string[]) {
    super(`Entity "${entity}" has no field ${describeValue(name)} that scripts may ${right}.${suggest(near)}`, {
      entity,
      field: name,
      near,
    });
  }
}

/** A value that does not fit its column. */
export class InvalidValueError extends ScriptFacingError {
  readonly code = 'SANDBOX_INVALID_VALUE';
  constructor(field: string, value: unknown, expected: string) {
    super(`${field} cannot be ${describeValue(value)}: give ${expected}.`, { field });
  }
}

/** An update of a record that does not exist (any more). */
export class RecordNotFoundError extends ScriptFacingError {
  readonly code = 'SANDBOX_RECORD_NOT_FOUND';
  constructor(entity: string, id: string) {
    super(`There is no ${entity} with the id ${describeValue(id)}; it may have been deleted. Nothing was written.`, {
      entity,
      id,
    });
  }
}

/** `expectedVersion` did not match: somebody else changed the record since it was read. */
export class VersionConflictError extends ScriptFacingError {
  readonly code = 'SANDBOX_VERSION_CONFLICT';
  constructor(entity: string, id: string, expected: unknown) {
    super(
      `The ${entity} with the id ${describeValue(id)} is not at version ${String(expected)}: it was changed since it was read. Read it again and decide anew. Nothing was written.`,
      { entity, id, expected },
    );
  }
}

/** Something in a mail is not as it has to be. */
export class InvalidEmailError extends ScriptFacingError {
  readonly code = 'SANDBOX_INVALID_EMAIL';
  constructor(part: string, problem: string) {
    super(`Invalid mail: ${part} ${problem}`, { part });
  }
}

/** The input schema of a bridge method refused its argument. */
export class InvalidArgumentError extends ScriptFacingError {
  readonly code = 'SANDBOX_INVALID_ARGUMENT';
  constructor(method: string, issues: readonly string[]) {
    super(`${method} was called with an invalid argument: ${issues.join('; ')}`, { method, issues });
  }
}

/** A call of something that does not exist. */
export class UnknownMethodError extends ScriptFacingError {
  readonly code = 'SANDBOX_UNKNOWN_METHOD';
  constructor(method: unknown) {
    super(`There is no bridge method ${describeValue(method)}.`, { method });
  }
}

/** A bridge call took longer than `limits.bridgeCallMs`. */
export class BridgeTimeoutError extends ScriptFacingError {
  readonly code = 'SANDBOX_BRIDGE_TIMEOUT';
  constructor(method: string, ms: number) {
    super(`${method} took longer than ${ms} ms (bridgeCallMs) and was given up.`, { method, ms });
  }
}

/** A limit on rows, mails or the transaction was passed; ends the run. */
export class LimitExceededError extends ScriptFacingError {
  readonly code = 'SANDBOX_LIMIT_EXCEEDED';
  constructor(limit: string, allowed: number, what: string) {
    super(`${what}: the limit ${limit} is ${allowed}.`, { limit, allowed });
  }
}

/** A host service that may act outside the database was called in a dry run. */
export class NotInDryRunError extends ScriptFacingError {
  readonly code = 'SANDBOX_NOT_IN_DRY_RUN';
  constructor(method: string) {
    super(
      `${method} is not called in a dry run, because what it does may not be undone. Declare it pure if it only reads.`,
      {
        method,
      },
    );
  }
}

/** The database refused a statement for a reason in the data: a constraint, a range, a lock. */
export class DatabaseRefusalError extends ScriptFacingError {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A fault of ours or of the host, as the script sees it: nothing of its text crosses. */
export class HostFaultError extends ScriptFacingError {
  readonly code = 'SANDBOX_HOST_ERROR';
  constructor(method: string, cause?: unknown) {
    super(`${method} failed for a reason on the host's side. The host's log says more.`, { method }, cause);
  }
}

/** A `@BridgeService` or `@BridgeMethod` that cannot be offered to scripts; found at boot, or where it is written. */
export class InvalidBridgeServiceError extends SandboxError {
  readonly code = 'SANDBOX_INVALID_BRIDGE_SERVICE';
  constructor(where: string, problem: string, remedy: string) {
    super(`${where}: ${problem}. ${remedy}.`, { where });
  }
}

/** Two providers claim one bridge name. */
export class DuplicateBridgeServiceError extends SandboxError {
  readonly code = 'SANDBOX_DUPLICATE_BRIDGE_SERVICE';
  constructor(name: string, first: string, second: string) {
    super(`The bridge service "${name}" is declared by both ${first} and ${second}. Give one of them another name.`, {
      name,
      first,
      second,
    });
  }
}

function suggest(near: readonly string[]): string {
  return near.length === 0 ? '' : ` Did you mean ${near.map((name) => `"${name}"`).join(' or ')}?`;
}
