import { Inject, type MiddlewareConsumer, Module, type NestModule } from '@nestjs/common';
import { AdminToken } from '../admin/admin-token.js';
import type { HttpRequest, HttpResponse } from '../http.js';
import { BOARD_PATH, QueueBoard } from './queue-board.js';

/** Bull Board at `/queues`, for the administrator: a browser asks for a name (any) and a password, the `ADMIN_TOKEN`. */
@Module({ providers: [QueueBoard] })
export class QueuesModule implements NestModule {
  constructor(
    @Inject(QueueBoard) private readonly board: QueueBoard,
    @Inject(AdminToken) private readonly token: AdminToken,
  ) {}

  configure(consumer: MiddlewareConsumer): void {
    consumer
      .apply(
        (request: HttpRequest, response: HttpResponse, next: () => void) => this.letIn(request, response, next),
        (_: HttpRequest, __: HttpResponse, next: (error?: unknown) => void) =>
          this.board.refresh().then(() => next(), next),
        this.board.router,
      )
      .forRoutes(BOARD_PATH);
  }

  private letIn(request: HttpRequest, response: HttpResponse, next: () => void): void {
    const header = request.header('authorization');
    if (this.token.isBasicOf(header) || this.token.isBearerOf(header)) return next();
    response.setHeader('www-authenticate', 'Basic realm="The password is the ADMIN_TOKEN", charset="UTF-8"');
    response.status(401).json({
      statusCode: 401,
      code: 'UNAUTHORIZED',
      message:
        'The queues are shown to who sends the ADMIN_TOKEN: as the password a browser asks for, or as a bearer token.',
    });
  }
}
