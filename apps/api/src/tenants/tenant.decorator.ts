import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { HttpRequest } from '../http.js';
import { badRequest } from '../problem.js';

/** Who asks: the tenant of the header `x-tenant-id`, and the user of `x-user-id` where there is one. */
export interface Caller {
  readonly tenantId: string;
  readonly userId: string | null;
}

/**
 * Reads the caller from the headers. A real SaaS takes both from a verified token. Whether the tenant exists is for the
 * tenancy to say, when its database is opened.
 */
export function callerOf(request: HttpRequest): Caller {
  const tenantId = request.header('x-tenant-id')?.trim();
  if (!tenantId) throw badRequest('TENANT_MISSING', 'The header x-tenant-id is missing: send the id of your tenant.');
  return { tenantId, userId: request.header('x-user-id') ?? null };
}

/** The caller, as a parameter of a handler. */
export const FromCaller = createParamDecorator((_: unknown, context: ExecutionContext): Caller =>
  callerOf(context.switchToHttp().getRequest<HttpRequest>()),
);
