import { BadRequestException, NotFoundException, type ValidationError } from '@nestjs/common';

/** The body of every error the api answers with. */
export interface Problem {
  readonly statusCode: number;
  /** Stable, for programs. */
  readonly code: string;
  /** For people: what happened, with which value, what to do. */
  readonly message: string;
  /** One line a field, where a body was refused. */
  readonly problems?: readonly string[];
}

/** 400 with a code. */
export function badRequest(code: string, message: string, problems?: readonly string[]): BadRequestException {
  return new BadRequestException({ statusCode: 400, code, message, problems } satisfies Problem);
}

/** 404 with a code. */
export function notFound(code: string, message: string): NotFoundException {
  return new NotFoundException({ statusCode: 404, code, message } satisfies Problem);
}

/** 400 for a body that class-validator refused. */
export function invalidBody(errors: readonly ValidationError[]): BadRequestException {
  const problems = errors.flatMap((error) => describeError(error));
  return badRequest('VALIDATION_FAILED', `The body is not valid: ${problems.join('; ')}.`, problems);
}

function describeError(error: ValidationError, path = ''): string[] {
  const name = `${path}${error.property}`;
  const own = Object.values(error.constraints ?? {}).map((message) => message.replace(error.property, name));
  return [...own, ...(error.children ?? []).flatMap((child) => describeError(child, `${name}.`))];
}
