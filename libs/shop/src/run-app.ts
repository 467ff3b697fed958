import { ConsoleLogger, type LoggerService } from '@nestjs/common';
import { EnvironmentError } from './environment.js';

// From sysexits.h: starting again will not help.
const EX_CONFIG = 78;

/**
 * Starts a process of the shop with a JSON logger. What keeps it from starting is logged as one line that names the cause,
 * and ends the process: with 78 where the environment is wrong, else with 1.
 */
export async function runApp(start: (logger: LoggerService) => Promise<void>): Promise<void> {
  const logger = new ConsoleLogger({ json: true });
  try {
    await start(logger);
  } catch (error) {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    if (error instanceof EnvironmentError) logger.fatal(message, 'Environment');
    else logger.fatal(`The process cannot start: ${message}`, stack, 'Start');
    process.exit(error instanceof EnvironmentError ? EX_CONFIG : 1);
  }
}
