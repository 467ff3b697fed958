import 'reflect-metadata';
import { ConsoleLogger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { type ApiEnvironment, readApiEnvironment } from 'shop';
import { AppModule } from './app.module.js';
import { configure } from './configure.js';

const logger = new ConsoleLogger({ json: true });

function environmentOrExit(): ApiEnvironment {
  try {
    return readApiEnvironment(process.env);
  } catch (error) {
    logger.fatal((error as Error).message, 'Environment');
    process.exit(78); // EX_CONFIG: starting again will not help
  }
}

const environment = environmentOrExit();
const app = await NestFactory.create<NestExpressApplication>(AppModule.forRoot(environment), { logger });
configure(app);
await app.listen(environment.port);
logger.log(`The api listens on port ${environment.port}, OpenAPI at /docs`, 'Api');
