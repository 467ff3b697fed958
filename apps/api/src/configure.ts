import { ValidationPipe } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { ErrorFilter } from './error.filter.js';
import { invalidBody } from './problem.js';

/** What every instance of the api has besides its modules: validation, errors, OpenAPI, shutdown. */
export function configure(app: NestExpressApplication): void {
  app.useGlobalPipes(
    new ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true, exceptionFactory: invalidBody }),
  );
  app.useGlobalFilters(new ErrorFilter());
  app.enableShutdownHooks();
  // Deploying a script sends its whole source (at most 100 KiB, more once it is escaped as JSON).
  app.useBodyParser('json', { limit: '1mb' });
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, description()));
}

function description() {
  return new DocumentBuilder()
    .setTitle('Shop')
    .setDescription(
      'A demo SaaS. Every request names its tenant in the header x-tenant-id; scripts are managed under /sandbox.',
    )
    .setVersion('1')
    .addGlobalParameters({
      name: 'x-tenant-id',
      in: 'header',
      description: 'The tenant whose data the request is about',
      schema: { type: 'string', example: 'acme' },
    })
    .addBearerAuth()
    .build();
}
