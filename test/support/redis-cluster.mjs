// Starts a real Redis Cluster of three masters, each with a third of the slots.
import { Redis } from 'ioredis';
import { freePort, until } from './processes.mjs';
import { startRedis } from './redis.mjs';

const SLOTS = 16_384;
/** A node talks to the others at its port + 10,000, which has to be a port, too. */
const HIGHEST_PORT = 55_535;

async function nodePort() {
  for (;;) {
    const port = await freePort();
    if (port <= HIGHEST_PORT) return port;
  }
}

async function startNode(index, count) {
  const server = await startRedis({
    port: await nodePort(),
    options: ['--cluster-enabled', 'yes', '--cluster-node-timeout', '5000'],
  });
  const redis = new Redis(server.url);
  const [first, last] = [index, index + 1].map((n) => Math.round((n * SLOTS) / count));
  // ADDSLOTSRANGE is of Redis 7: Redis 6 wants every slot named.
  await redis.call('CLUSTER', 'ADDSLOTS', ...Array.from({ length: last - first }, (_, n) => String(first + n)));
  return { server, redis };
}

/** Returns `{ nodes, flush(), keysByNode(), stop() }`; `nodes` is what ioredis' `Cluster` takes. */
export async function startRedisCluster(count = 3) {
  const nodes = await Promise.all(Array.from({ length: count }, (_, index) => startNode(index, count)));
  const [{ redis: first }] = nodes;
  for (const { server } of nodes) await first.call('CLUSTER', 'MEET', '127.0.0.1', String(server.port));
  const joined = async ({ redis }) => {
    const info = String(await redis.call('CLUSTER', 'INFO'));
    return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${count}`);
  };
  await until(async () => (await Promise.all(nodes.map(joined))).every(Boolean), { what: 'the cluster to form' });
  return {
    nodes: nodes.map(({ server }) => ({ host: '127.0.0.1', port: server.port })),
    /** Loses everything. */
    flush: async () => void (await Promise.all(nodes.map(({ redis }) => redis.flushall()))),
    /** Every key, by the node that holds it. */
    keysByNode: () => Promise.all(nodes.map(({ redis }) => redis.keys('*'))),
    async stop() {
      for (const { redis } of nodes) redis.disconnect();
      await Promise.all(nodes.map(({ server }) => server.stop()));
    },
  };
}
