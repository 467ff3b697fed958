import { createHash, timingSafeEqual } from 'node:crypto';
import { type CanActivate, type ExecutionContext, Inject, Injectable, UnauthorizedException } from '@nestjs/common';
import { API_ENVIRONMENT } from '../environment.token.js';
import type { ApiEnvironment } from 'shop';
import type { HttpRequest } from '../http.js';

const digest = (text: string) => createHash('sha256').update(text).digest();

/** Lets in who sends `authorization: Bearer $ADMIN_TOKEN`. */
@Injectable()
export class AdminGuard implements CanActivate {
  private readonly expected: Buffer;

  constructor(@Inject(API_ENVIRONMENT) { adminToken }: ApiEnvironment) {
    this.expected = digest(adminToken);
  }

  canActivate(context: ExecutionContext): boolean {
    const header = context.switchToHttp().getRequest<HttpRequest>().header('authorization') ?? '';
    const token = /^Bearer +(\S+)$/i.exec(header)?.[1];
    // Digests are compared: of equal length whatever was sent, in the same time whatever differs.
    if (token !== undefined && timingSafeEqual(digest(token), this.expected)) return true;
    throw new UnauthorizedException({
      statusCode: 401,
      code: 'UNAUTHORIZED',
      message: 'The admin API needs the header "authorization: Bearer <ADMIN_TOKEN>".',
    });
  }
}
