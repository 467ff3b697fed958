import { availableParallelism } from 'node:os';
import { DEFAULT_LIMITS } from './protocol/limits.js';
import type { SandboxModuleOptions } from './sandbox.options.js';
import { resolveOptions } from './sandbox.options.resolve.js';
import type { Tenancy } from './tenancy/tenancy.js';

const tenancy = {
  kind: 'database',
  tenants: () => Promise.resolve([]),
  lease: () => Promise.reject(new Error('not here')),
  tenantOf: () => undefined,
  onOpen: () => undefined,
  close: () => Promise.resolve(),
} as Tenancy;

const resolve = (options: unknown) => resolveOptions({ tenancy, ...(options as object) } as SandboxModuleOptions);

describe('resolveOptions', () => {
  it('fills in every default', () => {
    const threads = Math.max(2, 2 * availableParallelism());
    expect(resolve({})).toEqual({
      tenancy,
      queue: { backend: 'redis', prefix: 'sandbox' },
      engine: 'quickjs',
      limits: DEFAULT_LIMITS,
      ceiling: { ...DEFAULT_LIMITS, cpuMs: 300_000 },
      tenantLimits: expect.any(Function),
      capture: { enabled: true },
      relay: { intervalMs: 1_000, tenantsPerInterval: 50, afterMs: 2_000, backlog: 5_000 },
      processing: {
        enabled: false,
        threads,
        concurrency: 2 * threads,
        tenantConcurrency: 16,
        tenantWeight: expect.any(Function),
        tenantRate: expect.any(Function),
        order: 'tenant',
        attempts: 10,
        backoffMs: 250,
        drainMs: 10_000,
      },
      email: {},
      migrate: true,
    });
  });

  it('derives defaults from what is given', () => {
    const options = resolve({
      queue: { backend: 'postgres', connection: 'postgres://host/queues' },
      processing: { threads: 3, order: 'record' },
      limits: { memoryBytes: 1_000_000, cpuMs: 400_000 },
      ceiling: { writes: 10 },
    });
    expect(options.queue).toEqual({
      backend: 'postgres',
      connection: 'postgres://host/queues',
      prefix: 'sandbox_queue',
    });
    expect(options.processing).toMatchObject({ concurrency: 6, tenantConcurrency: 16 });
    expect(options.ceiling).toMatchObject({ memoryBytes: 1_000_000, cpuMs: 400_000, writes: 10 });
    expect(options.limits.writes).toBe(10);
  });

  it('freezes the result to its leaves, but neither the tenancy nor what the drivers get', () => {
    const connection = { host: 'redis', tls: { rejectUnauthorized: true } };
    const options = resolve({ queue: { connection } });
    const frozen = [options, options.limits, options.ceiling, options.processing, options.relay, options.queue];
    expect(frozen.every(Object.isFrozen)).toBe(true);
    expect(options.tenancy).toBe(tenancy);
    expect(options.queue.connection).toBe(connection);
    expect([options.tenancy, connection, connection.tls].some(Object.isFrozen)).toBe(false);
  });

  const bad: readonly [options: unknown, message: string | RegExp][] = [
    [{ limits: { cpuMs: '1s' } }, 'limits.cpuMs: expected a positive number of milliseconds, got "1s"'],
    [
      { limits: { wallMs: Number.POSITIVE_INFINITY } },
      'limits.wallMs: expected a positive number of milliseconds, got Infinity',
    ],
    [{ limits: { wallMs: 2 ** 31 } }, 'limits.wallMs: expected at most 2147483647 milliseconds, got 2147483648'],
    [{ limits: { queries: -1 } }, 'limits.queries: expected a whole number of queries, at least 0, got -1'],
    [{ limits: { memoryBytes: 0 } }, 'limits.memoryBytes: expected a whole number of bytes, at least 1, got 0'],
    [{ limits: { cpuMS: 5, cpu: 1 } }, /^limits\.cpuMS: there is no such option; did you mean "cpuMs"\?/],
    [
      { limits: { writes: 200 }, ceiling: { writes: 100 } },
      'limits.writes: expected at most ceiling.writes, which is 100, got 200',
    ],
    [{ limits: [] }, 'limits: expected an object, got an array of 0'],
    [
      { capture: { enabled: 'false' } },
      /^capture\.enabled: expected true or false \(environment variables are strings.*got "false"$/,
    ],
    [{ processing: { enabled: 1 } }, 'processing.enabled: expected true or false, got 1'],
    [{ processing: { threads: 0 } }, 'processing.threads: expected a whole number of threads, at least 1, got 0'],
    [{ processing: { thread: 2 } }, /^processing\.thread: there is no such option; did you mean "threads"\?/],
    [{ processing: { tenantWeight: 2 } }, /^processing\.tenantWeight: expected a function, got 2$/],
    [
      { processing: { tenantRates: () => undefined } },
      /^processing\.tenantRates: there is no such option; did you mean "tenantRate"\?/,
    ],
    [
      { processing: { order: 'tenants' } },
      /^processing\.order: expected one of "tenant", "record", "none" \(did you mean "tenant"\?\), got "tenants"$/,
    ],
    [{ engine: 'v8' }, 'engine: expected one of "quickjs", "js-interpreter", got "v8"'],
    [{ tenancy: undefined }, /^tenancy: expected a Tenancy, such as databasePerTenant\(.*got undefined$/],
    [{ tenancy: { lease: () => 1 } }, /^tenancy: expected a Tenancy/],
    [{ queue: { backend: 'postgres' } }, /^queue\.connection: expected a connection string.*got undefined$/],
    [
      { queue: { backend: 'postgres', connection: 'postgres://h/d', prefix: 'a"b' } },
      /^queue\.prefix: expected a lower-case PostgreSQL schema name/,
    ],
    [{ queue: { connection: 'redis://host' } }, /^queue\.connection: expected \{ url: .* got "redis:\/\/host"$/],
    [{ queue: { connection: 'redis://:secret@host' } }, /got "redis:\/\/\*\*\*@host"$/],
    [{ queue: { connection: { url: 'localhost' } } }, /^queue\.connection\.url: expected a URL/],
    [{ queue: { connection: { url: undefined } } }, /^queue\.connection\.url: .* got undefined: is the environment/],
    [{ queues: {} }, /^queues: there is no such option; did you mean "queue"\?/],
    [{ relay: { intervalMs: 0 } }, 'relay.intervalMs: expected a positive number of milliseconds, got 0'],
    [{ email: { from: 'a@b.c\r\nbcc: x@y.z' } }, /^email\.from: expected a sender/],
    [{ migrate: 'no' }, /^migrate: expected true or false/],
    [{ telemetry: true }, /^telemetry: expected BullMQ's Telemetry, such as new BullMQOtel.* got true$/],
    [{ tenantLimits: {} }, 'tenantLimits: expected a function, got an object with no keys'],
  ];
  it.each(bad)('refuses %j', (options, message) => {
    let thrown: unknown;
    try {
      resolve(options);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({
      name: 'InvalidOptionError',
      code: 'SANDBOX_INVALID_OPTION',
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    });
  });
});
