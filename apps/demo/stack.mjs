// The whole system on this machine: PostgreSQL (embedded), a mail catcher, the api and one processor, as real processes.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { startMailCatcher } from '../../test/support/mail-catcher.mjs';
import { startPostgres } from '../../test/support/postgres.mjs';
import { shopClient, startApi, startProcessor } from '../../test/support/shop.mjs';

/** The demo's tenants. */
export const TENANTS = ['acme', 'globex'];

/**
 * `start()` starts everything, and `stop()` ends what was started, in the order in which the parts depend on each other.
 * `task(label, work)` is told what starts, and shows what `work` resolves to.
 */
export function createStack({ port, task }) {
  const stack = { adminToken: randomBytes(12).toString('hex') };
  const services = [];
  const processes = [];

  async function start() {
    await assertFree(port);
    await task('PostgreSQL', async () => {
      services.unshift((stack.postgres = await startPostgres()));
      return `embedded, port ${stack.postgres.port}`;
    });
    await task('mail catcher', async () => {
      services.unshift((stack.mail = await startMailCatcher()));
      return `a real SMTP server, port ${stack.mail.port}`;
    });
    await task('api, processor', async () => {
      const environment = environmentOf(stack);
      // Both are waited for even when one fails, so that neither is left behind.
      const started = await Promise.allSettled([startApi({ ...environment, PORT: port }), startProcessor(environment)]);
      processes.push(...started.flatMap(({ value }) => value ?? []));
      for (const { reason } of started) if (reason) throw reason;
      [stack.api, stack.processor] = processes;
      return `port ${stack.api.port}, queues on PostgreSQL, no Redis`;
    });
    stack.client = shopClient(stack.api.url, stack.adminToken);
  }

  async function stop() {
    await Promise.all(processes.splice(0).map((part) => part.stop()));
    for (const service of services.splice(0)) await service.stop();
  }
  return { stack, start, stop };
}

/** Asked first: whoever has the port would answer in the api's place. Left out or 0: any port will do. */
async function assertFree(port) {
  if (!Number(port)) return;
  const server = createServer().listen({ port, exclusive: true });
  const [error] = await once(server, 'listening').catch((reason) => [reason]);
  server.close();
  if (error) throw new Error(`Port ${port} is in use. End what listens there, or choose another: PORT=3001 npm start`);
}

function environmentOf({ postgres, mail, adminToken }) {
  return { DATABASE_URL: postgres.url, TENANTS: TENANTS.join(','), SMTP_URL: mail.url, ADMIN_TOKEN: adminToken };
}
