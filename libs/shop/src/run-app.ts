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
    const wrong = wrongEnvironment(error);
    if (wrong) logger.fatal(wrong, 'Environment');
    else logger.fatal(`The process cannot start: ${message}`, stack, 'Start');
    process.exit(wrong ? EX_CONFIG : 1);
  }
}

/** What is wrong with the environment, where that is what keeps the process from starting. */
function wrongEnvironment(error: unknown): string | undefined {
  if (error instanceof EnvironmentError) return error.message;
  const { code, port } = (error ?? {}) as { code?: unknown; port?: unknown };
  if (code !== 'EADDRINUSE') return undefined;
  return `Port ${String(port)} is in use: end what listens there, or set PORT (api), HEALTH_PORT (processor) to another.`;
}
