import type { IQueueBackend } from 'bullmq';
import type { QueueBackend } from '../../queue/queue-backend.js';
import { TenantLimits } from './tenant-limits.js';
import { resolveTurnsOptions } from './turns.options.js';

/** A tenant's queue that notes what is written; `removal` settles when its limits are taken away. */
function noted(removal: Promise<number> = Promise.resolve(0)) {
  const log: string[] = [];
  const backend = {
    setQueueMeta: async (meta: object) => (log.push(`set ${Object.keys(meta).join(' ')}`), 0),
    setRateLimit: async () => void log.push('limit'),
    removeQueueMetaFields: () => removal.then(() => log.push('removed')),
  } as unknown as IQueueBackend;
  return { log, backend };
}

const limitsOver = (queue: object) =>
  new TenantLimits(queue as QueueBackend, resolveTurnsOptions({ concurrency: 1, tenants: async () => [] }));

describe('the limits of a tenant', () => {
  it('are written once for each of ten thousand tenants in turn, whatever handle they come with', async () => {
    const limits = limitsOver({ kind: 'redis', generation: 0 });
    const { log, backend } = noted();
    for (let round = 0; round < 2; round += 1)
      for (let n = 0; n < 10_000; n += 1) await limits.apply(`t${n}`, { ...backend } as IQueueBackend);
    expect(log).toHaveLength(10_000);
  });

  it('are written again once the data is gone, and where writing failed', async () => {
    const queue = { kind: 'redis', generation: 0 };
    const limits = limitsOver(queue);
    const { log, backend } = noted();
    await limits.apply('acme', backend);
    queue.generation += 1;
    await limits.apply('acme', backend);
    expect(log).toHaveLength(2);
    const away = {
      ...backend,
      setQueueMeta: async () => Promise.reject(new Error('away')),
    } as unknown as IQueueBackend;
    await limits.apply('globex', away);
    await new Promise(setImmediate);
    await limits.apply('globex', backend);
    expect(log).toHaveLength(3);
  });

  it('hold a tenant again only after the end of its last hold was written', async () => {
    let end: (count: number) => void = () => {};
    const { log, backend } = noted(new Promise((resolve) => (end = resolve)));
    const limits = limitsOver({ kind: 'postgres', generation: 0, forTenant: () => backend });
    await limits.hold('acme', 100);
    limits.begun('acme', backend);
    const again = limits.hold('acme', 100);
    end(0);
    await again;
    expect(log).toEqual(['set max duration', 'limit', 'removed', 'set max duration', 'limit']);
  });
});
