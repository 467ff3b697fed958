import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { readProcessorEnvironment, runApp } from 'shop';
import { ProcessorModule } from './processor.module.js';

await runApp(async (logger) => {
  const environment = readProcessorEnvironment(process.env);
  const options = { logger, abortOnError: false };
  const app = await NestFactory.createApplicationContext(ProcessorModule.forRoot(environment), options);
  app.enableShutdownHooks();
  if (!environment.smtpUrl) {
    logger.warn("SMTP_URL is not set: mails wait in the tenants' databases for a processor that has one", 'Processor');
  }
  const { length } = environment.tenants;
  logger.log(`The processor serves ${length} tenant${length === 1 ? '' : 's'}`, 'Processor');
});
