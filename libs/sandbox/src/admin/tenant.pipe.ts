import { createParamDecorator, type ExecutionContext, Inject, Injectable, type PipeTransform } from '@nestjs/common';
import { MissingTenantError } from '../errors/admin.errors.js';
import { ADMIN_SETTINGS, type AdminRequest, type AdminSettings } from './admin-options.js';

const HEADER = 'x-tenant-id';

/** The tenant a request is about. Throws `MissingTenantError`; whether there is such a tenant, the tenancy knows. */
@Injectable()
export class TenantPipe implements PipeTransform<AdminRequest, Promise<string>> {
  constructor(@Inject(ADMIN_SETTINGS) private readonly settings: AdminSettings) {}

  async transform(request: AdminRequest): Promise<string> {
    const tenantId = await (this.settings.tenant ?? tenantOfHeader)(request);
    if (typeof tenantId !== 'string' || tenantId === '') throw new MissingTenantError(HEADER);
    return tenantId;
  }
}

function tenantOfHeader(request: AdminRequest): string | undefined {
  const value = request.headers[HEADER];
  return Array.isArray(value) ? undefined : value;
}

const Request = createParamDecorator((_: unknown, context: ExecutionContext) =>
  context.switchToHttp().getRequest<AdminRequest>(),
);

/** Parameter of a controller's method: the id of the request's tenant. */
export const Tenant = (): ParameterDecorator => Request(TenantPipe);
