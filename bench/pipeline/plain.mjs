// The rival a team would write first: one BullMQ worker, a native function, TypeORM in a transaction. No sandbox, no
// record of the run, nothing that keeps a job that comes twice from having its effect twice.
import { Worker } from 'bullmq';
import { DataSource } from 'typeorm';
import { serveBenchmark } from './child.mjs';
import { createEntities } from './schema.mjs';

const config = JSON.parse(process.env.BENCH_CONFIG);
const { Customer, Order } = createEntities();
const sources = Object.fromEntries(
  await Promise.all(
    Object.entries(config.tenants).map(async ([tenantId, url]) => [
      tenantId,
      await new DataSource({
        type: 'postgres',
        url,
        entities: [Customer, Order],
        poolSize: config.poolSize,
      }).initialize(),
    ]),
  ),
);
const { hostname: host, port } = new URL(config.redisUrl);

let effect = () => undefined;
const worker = new Worker(
  config.queue,
  async ({ data: { tenantId, orderId } }) => {
    await sources[tenantId].transaction(async (manager) => {
      const order = await manager.findOneByOrFail(Order, { id: orderId });
      const customer = await manager.findOneByOrFail(Customer, { id: order.customerId });
      await manager.increment(Customer, { id: customer.id }, 'total', order.amount);
    });
    effect();
  },
  {
    connection: { host, port: Number(port), maxRetriesPerRequest: null },
    prefix: config.prefix,
    concurrency: config.concurrency,
    autorun: false,
    removeOnComplete: { count: 0 },
  },
);
await worker.waitUntilReady();
void worker.run();
await worker.pause();
effect = serveBenchmark({
  begin: () => worker.resume(),
  halt: () => worker.pause(),
  close: () => worker.close(),
});
