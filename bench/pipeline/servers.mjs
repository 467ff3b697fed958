// PostgreSQL and Redis for the benchmark, and the CPU time they have used: both are part of what an action costs.
import { readdirSync, readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import pg from 'pg';
import { createDatabase, startPostgres } from '../../test/support/postgres.mjs';
import { startRedis } from '../../test/support/redis.mjs';

const TICK_US = 10_000;

/** Starts what the environment does not name. */
export async function startServers() {
  const postgres = process.env.TEST_DATABASE_URL
    ? undefined
    : await startPostgres({ settings: { synchronous_commit: 'off' } });
  const redis = process.env.TEST_REDIS_URL ? undefined : await startRedis();
  const server = postgres?.url ?? process.env.TEST_DATABASE_URL;
  const redisUrl = redis?.url ?? process.env.TEST_REDIS_URL;
  const meter = new Redis(redisUrl);
  const postmaster = await postmasterPid(server);
  return {
    redisUrl,
    createDatabase: (name) => createDatabase(server, `bench_${name}_${randomBytes(4).toString('hex')}`),
    /** Microseconds of CPU that both servers have used so far; 0 where the system does not tell. */
    cpuUs: async () => {
      const [pg, redis] = [postgresCpu(postmaster), redisCpu(await meter.info('cpu'))];
      if (process.env.BENCH_VERBOSE)
        console.error('so far: postgres', Math.round(pg / 1_000), 'ms, redis', Math.round(redis / 1_000), 'ms');
      return pg + redis;
    },
    async stop() {
      meter.disconnect();
      await redis?.stop();
      await postgres?.stop();
    },
  };
}

async function postmasterPid(url) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query('select pg_backend_pid() as pid');
  const parent = stat(rows[0].pid)?.parent;
  await client.end();
  return parent;
}

function stat(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    const [own, reaped] = [Number(fields[11]) + Number(fields[12]), Number(fields[13]) + Number(fields[14])];
    return { parent: Number(fields[1]), own, reaped };
  } catch {
    return undefined;
  }
}

/** The postmaster, its children, and the children it had. */
function postgresCpu(postmaster) {
  const main = postmaster && stat(postmaster);
  if (!main) return 0;
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(stat)
    .filter((process) => process?.parent === postmaster);
  return (main.own + main.reaped + children.reduce((sum, { own }) => sum + own, 0)) * TICK_US;
}

function redisCpu(info) {
  const seconds = (name) => Number(new RegExp(`^${name}:([0-9.]+)`, 'm').exec(info)?.[1] ?? 0);
  return (seconds('used_cpu_sys') + seconds('used_cpu_user')) * 1e6;
}
