import 'reflect-metadata';
import { ConsoleLogger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type ProcessorEnvironment, readProcessorEnvironment } from 'shop';
import { ProcessorModule } from './processor.module.js';

const logger = new ConsoleLogger({ json: true });

function environmentOrExit(): ProcessorEnvironment {
  try {
    return readProcessorEnvironment(process.env);
  } catch (error) {
    logger.fatal((error as Error).message, 'Environment');
    process.exit(78); // EX_CONFIG: starting again will not help
  }
}

const environment = environmentOrExit();
const app = await NestFactory.createApplicationContext(ProcessorModule.forRoot(environment), { logger });
app.enableShutdownHooks();
if (!environment.smtpUrl) {
  logger.warn("SMTP_URL is not set: mails wait in the tenants' databases for a processor that has one", 'Processor');
}
logger.log(`The processor serves ${environment.tenants.length} tenants`, 'Processor');
