import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import { SandboxError } from 'nestjs-sandbox';
import type { HttpResponse } from './http.js';
import type { Problem } from './problem.js';

/** Statuses of the library's errors that a caller of the api can cause; any other one is a fault of ours. */
const STATUS_OF: ReadonlyMap<string, number> = new Map([
  ['SANDBOX_INVALID_TENANT_ID', 400],
  ['SANDBOX_UNKNOWN_TENANT', 404],
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
  const { status, code, message, type } = error as { status?: unknown; code?: string; message: string; type?: string };
  if (error instanceof SandboxError) {
    const known = STATUS_OF.get(error.code);
    if (known !== undefined) return { statusCode: known, code: error.code, message: error.message };
  }
  // Errors of body-parser carry a status and a type: `entity.parse.failed`, `entity.too.large`.
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return { statusCode: status, code: type ? codeOfType(type) : (code ?? 'BAD_REQUEST'), message };
  }
  return { statusCode: 500, code: 'INTERNAL_ERROR', message: 'The server failed. Its log says why.' };
}

function problemOfHttp(error: HttpException): Problem {
  const statusCode = error.getStatus();
  const body = error.getResponse();
  if (typeof body === 'object' && 'code' in body) return { statusCode, ...body } as Problem;
  const code = statusCode === 404 ? 'NOT_FOUND' : statusCode === 400 ? 'BAD_REQUEST' : `HTTP_${statusCode}`;
  return { statusCode, code, message: error.message };
}

const codeOfType = (type: string) => type.replaceAll('.', '_').toUpperCase();
