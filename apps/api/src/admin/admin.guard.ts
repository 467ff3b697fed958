import { type CanActivate, type ExecutionContext, Inject, Injectable, UnauthorizedException } from '@nestjs/common';
import type { HttpRequest } from '../http.js';
import { AdminToken } from './admin-token.js';

/** Lets in who sends `authorization: Bearer $ADMIN_TOKEN`. */
@Injectable()
export class AdminGuard implements CanActivate {
  constructor(@Inject(AdminToken) private readonly token: AdminToken) {}

  canActivate(context: ExecutionContext): boolean {
    if (this.token.isBearerOf(context.switchToHttp().getRequest<HttpRequest>().header('authorization'))) return true;
    throw new UnauthorizedException({
      statusCode: 401,
      code: 'UNAUTHORIZED',
      message: 'The admin API needs the header "authorization: Bearer <ADMIN_TOKEN>".',
    });
  }
}
