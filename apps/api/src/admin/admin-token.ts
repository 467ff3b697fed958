import { createHash, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { ApiEnvironment } from 'shop';
import { API_ENVIRONMENT } from '../environment.token.js';

const digest = (text: string) => createHash('sha256').update(text).digest();

/** The administrator's token: who knows it may do everything. */
@Injectable()
export class AdminToken {
  private readonly expected: Buffer;

  constructor(@Inject(API_ENVIRONMENT) { adminToken }: ApiEnvironment) {
    this.expected = digest(adminToken);
  }

  /** Whether an `authorization` header is `Bearer <token>`. */
  isBearerOf(header: string | undefined): boolean {
    return this.is(/^Bearer +(\S+)$/i.exec(header ?? '')?.[1]);
  }

  /** Whether it is what a browser sends once it was asked for a password, which is the token; the name is not looked at. */
  isBasicOf(header: string | undefined): boolean {
    const credentials = /^Basic +(\S+)$/i.exec(header ?? '')?.[1];
    return credentials !== undefined && this.is(/:(.*)/s.exec(Buffer.from(credentials, 'base64').toString())?.[1]);
  }

  /** Digests are compared: of equal length whatever was sent, in the same time whatever differs. */
  private is(token: string | undefined): boolean {
    return token !== undefined && timingSafeEqual(digest(token), this.expected);
  }
}
