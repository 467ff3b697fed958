import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { readApiEnvironment, runApp } from 'shop';
import { AppModule } from './app.module.js';
import { configure } from './configure.js';

await runApp(async (logger) => {
  const environment = readApiEnvironment(process.env);
  const options = { logger, abortOnError: false };
  const app = await NestFactory.create<NestExpressApplication>(AppModule.forRoot(environment), options);
  configure(app);
  await app.listen(environment.port);
  logger.log(`The api listens on port ${environment.port}, OpenAPI at /docs`, 'Api');
});
