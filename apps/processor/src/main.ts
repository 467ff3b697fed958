import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { readProcessorEnvironment, runApp } from 'shop';
import { ProcessorModule } from './processor.module.js';

await runApp(async (logger) => {
  const environment = readProcessorEnvironment(process.env);
  const { healthPort } = environment;
  const module = ProcessorModule.forRoot(environment);
  const options = { logger, abortOnError: false };
  if (healthPort === undefined) {
    (await NestFactory.createApplicationContext(module, options)).enableShutdownHooks();
  } else {
    const app = (await NestFactory.create(module, options)).enableShutdownHooks();
    await app.listen(healthPort);
    logger.log(`/health and /metrics are at ${await app.getUrl()}`, 'Processor');
  }
  if (!environment.smtpUrl) {
    logger.warn("SMTP_URL is not set: mails wait in the tenants' databases for a processor that has one", 'Processor');
  }
  const { length } = environment.tenants;
  logger.log(`The processor serves ${length} tenant${length === 1 ? '' : 's'}`, 'Processor');
});
