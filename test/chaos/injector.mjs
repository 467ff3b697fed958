// Does to the stage what the plan says.
import Redis from 'ioredis';

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Carries plans out. One target has one trouble at a time; different ones may overlap, and do. */
export class Injector {
  /** What was done: the plan's injection with `begunAt` and `healedAt`, milliseconds since the epoch. */
  done = [];
  skipped = 0;
  #busy = new Set();
  #running = new Set();

  /** `say(text)` gets a line for each injection. */
  constructor(stage, say) {
    this.stage = stage;
    this.say = say;
  }

  /** Carries out a plan; resolves after `durationMs`, when the last injection is healed. Rejects where the harness failed. */
  async carryOut(plan, durationMs) {
    const begun = performance.now();
    for (const injection of plan) {
      await pause(Math.max(0, begun + injection.atMs - performance.now()));
      this.#inject(injection);
    }
    await pause(Math.max(0, begun + durationMs - performance.now()));
    await Promise.all(this.#running);
  }

  #inject(injection) {
    const { kind, on, lastsMs, by } = injection;
    const measure = { delay: `by ${by} ms`, 'clock step': `by ${by} ms`, 'refuse mails': `${by} of them` }[kind];
    const text = [kind.padEnd(14), on.padEnd(26), measure, lastsMs > 0 ? `for ${lastsMs} ms` : '']
      .filter(Boolean)
      .join(' ');
    if (this.#busy.has(on)) {
      this.skipped += 1;
      return this.say(`${text} (left out: not over the last one yet)`);
    }
    this.say(text);
    const record = { ...injection, begunAt: Date.now(), healedAt: undefined };
    this.done.push(record);
    this.#busy.add(on);
    this.stage.lastDisturbedAt = performance.now();
    const work = this.#perform(injection).finally(() => {
      record.healedAt = Date.now();
      this.stage.lastDisturbedAt = performance.now();
      this.#busy.delete(on);
    });
    this.#running.add(work);
  }

  #perform({ kind, on, lastsMs, by }) {
    const { actors, links, mail } = this.stage;
    if (actors.has(on)) return onProcess(actors.get(on), kind, lastsMs, by);
    if (links.has(on)) return onLink(links.get(on), kind, lastsMs, by);
    if (on === 'postgres') return onPostgres(this.stage.postgres, kind, lastsMs);
    if (on === 'redis') return onRedis(this.stage.redis, kind, lastsMs);
    mail.refuse(by);
    return pause(0);
  }
}

async function onProcess(actor, kind, lastsMs, by) {
  if (kind === 'clock step') {
    actor.setClock(by);
    await pause(lastsMs);
    return actor.setClock(0);
  }
  await (kind === 'SIGTERM' ? actor.terminate() : actor.kill());
  await pause(lastsMs);
  await actor.start();
}

async function onLink(link, kind, lastsMs, by) {
  if (kind === 'cut') return link.cut();
  if (kind === 'vanish') {
    link.vanish();
    await pause(lastsMs);
    return link.appear();
  }
  if (kind === 'delay') link.delay(by);
  else link.stall();
  await pause(lastsMs);
  if (kind === 'stall and cut') link.cut();
  if (kind === 'delay') link.delay(0);
  else link.resume();
}

async function onPostgres(postgres, kind, lastsMs) {
  if (kind === 'kill -9') await postgres.kill();
  await pause(lastsMs);
  // Its children may hold on to the shared memory for a moment longer than the server that was killed.
  for (let tries = 1; ; tries += 1) {
    try {
      return await postgres.restart();
    } catch (error) {
      if (tries === 3) throw error;
    }
  }
}

async function onRedis(redis, kind, lastsMs) {
  if (kind === 'FLUSHALL') {
    const client = new Redis(redis.url, { maxRetriesPerRequest: 50 });
    await client.flushall();
    return client.disconnect();
  }
  if (kind === 'kill -9') await redis.kill();
  await pause(lastsMs);
  await redis.restart();
}
