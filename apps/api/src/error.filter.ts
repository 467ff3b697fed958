import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import { SandboxError } from 'nestjs-sandbox';
import type { HttpResponse } from './http.js';
import type { Problem } from './problem.js';

/** Statuses of the library's errors that a caller of the api can cause; any other one is a fault of ours. */
const STATUS_OF: ReadonlyMap<string, number> = new Map([
  ['SANDBOX_INVALID_TENANT_ID', 400],
  ['SANDBOX_UNKNOWN_TENANT', 404],
]);

/** Codes of what Nest refuses by itself: a body that is no JSON, or too large; a path that there is not. */
const CODE_OF: ReadonlyMap<number, string> = new Map([
  [400, 'BAD_REQUEST'],
  [404, 'NOT_FOUND'],
  [413, 'BODY_TOO_LARGE'],
]);

/** Answers every error as a `Problem`. What is a fault of ours is logged, and told to nobody. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger('Api');

  catch(error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<HttpResponse>();
    const problem = problemOf(error);
    if (problem.statusCode >= 500) this.logger.error(error);
    if (!response.headersSent) response.status(problem.statusCode).json(problem);
  }
}

function problemOf(error: unknown): Problem {
  if (error instanceof HttpException) return problemOfHttp(error);
  const known = error instanceof SandboxError ? STATUS_OF.get(error.code) : undefined;
  if (known !== undefined) {
    const { code, message } = error as SandboxError;
    return { statusCode: known, code, message };
  }
  return { statusCode: 500, code: 'INTERNAL_ERROR', message: 'The server failed. Its log says why.' };
}

function problemOfHttp(error: HttpException): Problem {
  const statusCode = error.getStatus();
  const body = error.getResponse();
  if (typeof body === 'object' && 'code' in body) return { statusCode, ...body } as Problem;
  return { statusCode, code: CODE_OF.get(statusCode) ?? `HTTP_${statusCode}`, message: error.message };
}
