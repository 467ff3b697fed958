// Everything that a run of the harness stands on: servers of its own, a link per process and server, the processes.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMailCatcher } from '../support/mail-catcher.mjs';
import { startPostgres } from '../support/postgres.mjs';
import { freePort } from '../support/processes.mjs';
import { startRedis } from '../support/redis.mjs';
import { ADMIN_TOKEN, shopClient } from '../support/shop.mjs';
import { Actor } from './actor.mjs';
import { linksOf } from './plan.mjs';
import { startProxy } from './proxy.mjs';

/** Milliseconds after an injection during which a start may fail for it. */
const AFTERMATH_MS = 20_000;

/** Starts it. `tenants`: their ids. */
export async function startStage({ queue, tenants }) {
  const logs = mkdtempSync(join(tmpdir(), `nestjs-sandbox-chaos-${queue}-`));
  const [postgres, redis, mail] = await Promise.all([
    startPostgres({ durable: true }),
    queue === 'redis' ? startRedis() : undefined,
    startMailCatcher(),
  ]);
  const servers = { postgres, redis, 'mail server': mail };
  const links = new Map();
  for (const name of linksOf(queue)) links.set(name, await startProxy(servers[name.split(' ~ ')[1]].port));
  const stage = { queue, tenants, logs, postgres, redis, mail, links, lastDisturbedAt: -Infinity };
  stage.actors = await startActors(stage);
  return Object.assign(stage, { client: shopClient(stage.apiUrl), stop: () => stop(stage) });
}

async function startActors(stage) {
  const port = await freePort();
  stage.apiUrl = `http://127.0.0.1:${port}`;
  const wasDisturbed = () => performance.now() - stage.lastDisturbedAt < AFTERMATH_MS;
  const actor = (name, app, own, isReady) =>
    new Actor({
      name,
      app,
      environment: { ...environmentOf(stage, name), ...own },
      logs: stage.logs,
      isReady,
      wasDisturbed,
    });
  const answers = async () => (await fetch(`${stage.apiUrl}/health/live`, { signal: AbortSignal.timeout(1_000) })).ok;
  const serves = (output) => output.includes('The processor serves');
  const actors = [
    actor('api', 'api', { PORT: String(port), ADMIN_TOKEN }, answers),
    actor('processor-1', 'processor', {}, serves),
    actor('processor-2', 'processor', {}, serves),
  ];
  await Promise.all(actors.map((each) => each.start()));
  return new Map(actors.map((each) => [each.name, each]));
}

function environmentOf({ links, queue, postgres, tenants }, name) {
  const through = (url, server) => {
    const changed = new URL(url);
    changed.port = String(links.get(`${name} ~ ${server}`).port);
    return changed.href;
  };
  return {
    DATABASE_URL: through(postgres.url, 'postgres'),
    TENANTS: tenants.join(','),
    REDIS_URL: queue === 'redis' ? through('redis://127.0.0.1:1', 'redis') : undefined,
    SMTP_URL: name === 'api' ? undefined : through('smtp://127.0.0.1:1', 'mail server'),
  };
}

async function stop({ actors, links, postgres, redis, mail }) {
  await Promise.all([...actors.values()].map((actor) => actor.retire()));
  await Promise.all([...links.values()].map((link) => link.stop()));
  await Promise.all([postgres.stop(), redis?.stop(), mail.stop()]);
}
