import { type ArgumentsHost, Catch, type ExceptionFilter, HttpStatus, Inject } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { SandboxError } from '../errors/sandbox-error.js';

/** 400: the request makes no sense. 422: it does, but what it asks for cannot be. 503: ask again later, or elsewhere. */
const STATUS_OF: ReadonlyMap<string, number> = new Map([
  ['SANDBOX_INVALID_SCRIPT', HttpStatus.BAD_REQUEST],
  ['SANDBOX_INVALID_ACTION_FILTER', HttpStatus.BAD_REQUEST],
  ['SANDBOX_INVALID_TENANT_ID', HttpStatus.BAD_REQUEST],
  ['SANDBOX_MISSING_TENANT', HttpStatus.BAD_REQUEST],
  ['SANDBOX_UNKNOWN_TENANT', HttpStatus.NOT_FOUND],
  ['SANDBOX_SCRIPT_NOT_FOUND', HttpStatus.NOT_FOUND],
  ['SANDBOX_VERSION_NOT_FOUND', HttpStatus.NOT_FOUND],
  ['SANDBOX_ACTION_NOT_FOUND', HttpStatus.NOT_FOUND],
  ['SANDBOX_DRY_RUN_RECORD_NOT_FOUND', HttpStatus.NOT_FOUND],
  ['SANDBOX_ACTION_STATE', HttpStatus.CONFLICT],
  ['SANDBOX_SCRIPT_SYNTAX', HttpStatus.UNPROCESSABLE_ENTITY],
  ['SANDBOX_UNKNOWN_TRIGGER_ENTITY', HttpStatus.UNPROCESSABLE_ENTITY],
  ['SANDBOX_LIMIT_ABOVE_CEILING', HttpStatus.UNPROCESSABLE_ENTITY],
  ['SANDBOX_SOURCE_TOO_LONG', HttpStatus.UNPROCESSABLE_ENTITY],
  ['SANDBOX_DRY_RUN_UNAVAILABLE', HttpStatus.SERVICE_UNAVAILABLE],
  ['SANDBOX_QUEUE_UNAVAILABLE', HttpStatus.SERVICE_UNAVAILABLE],
  ['SANDBOX_TENANCY_CLOSED', HttpStatus.SERVICE_UNAVAILABLE],
  ['SANDBOX_SCHEMA_NOT_MIGRATED', HttpStatus.SERVICE_UNAVAILABLE],
  ['SANDBOX_COMPILER_UNAVAILABLE', HttpStatus.SERVICE_UNAVAILABLE],
  ['SANDBOX_COMPILER_CLOSED', HttpStatus.SERVICE_UNAVAILABLE],
  ['SANDBOX_RUNNER_CLOSED', HttpStatus.SERVICE_UNAVAILABLE],
]);

/** Answers the library's errors as `{ code, message, details }`, with the status that fits the cause. */
@Catch(SandboxError)
export class SandboxErrorFilter implements ExceptionFilter<SandboxError> {
  constructor(@Inject(HttpAdapterHost) private readonly host: HttpAdapterHost) {}

  catch({ code, message, details }: SandboxError, context: ArgumentsHost): void {
    const status = STATUS_OF.get(code) ?? HttpStatus.INTERNAL_SERVER_ERROR;
    this.host.httpAdapter.reply(context.switchToHttp().getResponse(), { code, message, details }, status);
  }
}
