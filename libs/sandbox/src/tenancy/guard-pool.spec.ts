import { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { guardDataSource, guardPool } from './guard-pool.js';

const connectionString = process.env.TEST_DATABASE_URL as string;

/** What pg does with a FATAL that comes right behind the answer to the last statement. */
const FATAL = Object.assign(new Error('terminating connection due to unexpected postmaster exit'), { code: '57P01' });

describe('a guarded pool', () => {
  let pool: Pool;

  beforeEach(() => {
    pool = new Pool({ connectionString, max: 1 });
    pool.on('error', () => undefined);
  });
  afterEach(() => pool.end());

  it('survives a client that fails before who asked for it could listen', async () => {
    (await pool.connect()).release(); // made before the guard
    guardPool(pool);
    guardPool(pool);
    await expect(failAtCheckout()).resolves.not.toThrow();
  });

  it('is needed: without it such an error is thrown where nobody catches it', async () => {
    await expect(failAtCheckout()).resolves.toThrow('unexpected postmaster exit');
  });

  it('leaves one listener on a client, however often it is handed out', async () => {
    guardPool(pool);
    for (let use = 0; use < 5; use += 1) (await pool.connect()).release();
    const client = await pool.connect();
    expect(client.listenerCount('error')).toBe(1);
    client.release();
  });

  it('is what a DataSource has from its first connection on, whoever else uses pg', async () => {
    const dataSource = new DataSource({ type: 'postgres', url: connectionString, poolSize: 1 });
    guardDataSource(dataSource);
    await dataSource.initialize();
    const { master } = dataSource.driver as unknown as { master: Pool };
    const client = await master.connect();
    expect(client.listenerCount('error')).toBe(1);
    client.release();
    await dataSource.destroy();
    const ours = await pool.connect();
    expect(ours.listenerCount('error')).toBe(0);
    ours.release();
  });

  /** Checks a client out and lets it fail at once; resolves to the attempt. */
  function failAtCheckout(): Promise<() => void> {
    return new Promise((resolve, reject) => {
      pool.connect((error, client, release) => {
        if (error || !client) return reject(error ?? new Error('no client'));
        let thrown: unknown;
        try {
          client.emit('error', FATAL);
        } catch (caught) {
          thrown = caught;
        }
        release(true);
        resolve(() => {
          if (thrown) throw thrown as Error;
        });
      });
    });
  }
});
