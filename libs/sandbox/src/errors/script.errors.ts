import type { ScriptError } from '../protocol/run.js';
import { describeValue, SandboxError } from './sandbox-error.js';

/** A deploy says something that makes no sense; nothing was written. `path` is the property: `when.record.amount`. */
export class InvalidScriptError extends SandboxError {
  readonly code = 'SANDBOX_INVALID_SCRIPT';
  constructor(
    readonly path: string,
    problem: string,
    value?: unknown,
  ) {
    super(`${path}: ${problem}`, { path, value });
  }
}

/** A script is to listen to an entity that scripts do not know, or that cannot fire them. */
export class UnknownTriggerEntityError extends SandboxError {
  readonly code = 'SANDBOX_UNKNOWN_TRIGGER_ENTITY';
  constructor(entity: unknown, known: readonly string[], near?: string) {
    const remedy = known.length
      ? `Entities that fire scripts: ${known.join(', ')}${near ? ` (did you mean "${near}"?)` : ''}.`
      : 'No entity fires scripts yet: put @ScriptTrigger on one.';
    super(`entity: ${describeValue(entity)} fires no scripts. ${remedy}`, { path: 'entity', entity, known });
  }
}

/** A script does not parse. `error` has line, column and the code frame of the author's source. */
export class ScriptSyntaxError extends SandboxError {
  readonly code = 'SANDBOX_SCRIPT_SYNTAX';
  constructor(
    name: string,
    readonly error: ScriptError,
  ) {
    const place = error.line === undefined ? '' : ` at line ${error.line}, column ${error.column ?? 1}`;
    const frame = error.frame ? `\n${error.frame}` : '';
    super(`Script ${describeValue(name)} does not parse${place}: ${error.message}${frame}`, { name, error });
  }
}

/** A script asks for more than the host's ceiling grants. */
export class LimitAboveCeilingError extends SandboxError {
  readonly code = 'SANDBOX_LIMIT_ABOVE_CEILING';
  constructor(limit: string, value: number, ceiling: number) {
    super(`limits.${limit}: ${value} is above the ceiling of ${ceiling} that this host sets; ask for at most that.`, {
      path: `limits.${limit}`,
      value,
      ceiling,
    });
  }
}

/** A source is longer than `limits.sourceBytes`. */
export class SourceTooLongError extends SandboxError {
  readonly code = 'SANDBOX_SOURCE_TOO_LONG';
  constructor(bytes: number, limit: number) {
    super(`source: ${bytes} bytes of UTF-8 are above the limit of ${limit}; shorten it or split the script.`, {
      path: 'source',
      bytes,
      limit,
    });
  }
}

/** No script of that name. */
export class ScriptNotFoundError extends SandboxError {
  readonly code = 'SANDBOX_SCRIPT_NOT_FOUND';
  constructor(name: string) {
    super(`No script is named ${describeValue(name)}: deploy it, or list the scripts to see their names.`, { name });
  }
}

/** A script has no such version. */
export class VersionNotFoundError extends SandboxError {
  readonly code = 'SANDBOX_VERSION_NOT_FOUND';
  constructor(name: string, version: number | undefined, versions: readonly number[]) {
    const wanted = version === undefined ? 'no version before the current one' : `no version ${version}`;
    super(`Script ${describeValue(name)} has ${wanted}; it has ${versions.join(', ')}.`, { name, version, versions });
  }
}

/** A record to try a script on does not exist. */
export class DryRunRecordNotFoundError extends SandboxError {
  readonly code = 'SANDBOX_DRY_RUN_RECORD_NOT_FOUND';
  constructor(entity: string, recordId: string) {
    super(`There is no ${entity} with the id ${describeValue(recordId)}: give the id of one, or a record.`, {
      entity,
      recordId,
    });
  }
}

/** This process cannot run scripts, not even for trying them. */
export class DryRunUnavailableError extends SandboxError {
  readonly code = 'SANDBOX_DRY_RUN_UNAVAILABLE';
  constructor() {
    super('This process cannot try scripts: it was started without a pool of threads. Ask a process that has one.');
  }
}
