import type { Telemetry } from 'bullmq';
import type { Cluster, Redis, RedisOptions } from 'ioredis';
import type { PoolConfig } from 'pg';
import type { Limits } from './protocol/limits.js';
import type { EngineId, Isolation } from './protocol/script.js';
import type { Order } from './scripts/script.js';
import type { Tenancy } from './tenancy/tenancy.js';

/** Where the tenants' queues live. */
export type QueueOptions =
  | {
      readonly backend?: 'redis';
      /**
       * `{ url }`, ioredis options, or a `Redis` or `Cluster` of ioredis, which is duplicated and stays the host's own.
       * Default: the connection of the host's `BullModule.forRoot()`.
       */
      readonly connection?: { readonly url: string } | RedisOptions | Redis | Cluster;
      /** First part of every key. Default `sandbox`. */
      readonly prefix?: string;
    }
  | {
      readonly backend: 'postgres';
      /** A connection string, or `pg` pool options: the database that holds the queues. */
      readonly connection: string | PoolConfig;
      /** PostgreSQL schema of the queue tables. Default `sandbox_queue`. */
      readonly prefix?: string;
    };

/** This process writes entities. */
export interface CaptureOptions {
  /** Default true. */
  readonly enabled?: boolean;
}

/** This process hands committed actions to the queue, and finds those that a crash or a dead queue left behind. */
export interface RelayOptions {
  /** Milliseconds between two looks. Default 1,000. */
  readonly intervalMs?: number;
  /** Tenants looked at each time, besides those in use. Default 50. */
  readonly tenantsPerInterval?: number;
  /** Age in milliseconds at which an unfinished action that is not known to the queue is handed over. Default 2,000. */
  readonly afterMs?: number;
  /** Actions of a tenant that wait in the queue; further ones wait in their rows until there is room. Default 5,000. */
  readonly backlog?: number;
}

/** At most `max` actions begin per `durationMs`, over all processes. */
export interface TenantRate {
  /** Whole number, at least 1. */
  readonly max: number;
  readonly durationMs: number;
}

/** This process serves the queues. */
export interface ProcessingOptions {
  /** Default false. */
  readonly enabled?: boolean;
  /** Most threads. Default 2 per core, at least 2; the pool starts with one and grows while runs wait. */
  readonly threads?: number;
  /** Runs in flight in this process, over all tenants. Default 2 per thread. */
  readonly concurrency?: number;
  /** Runs in flight per tenant, over all processes, where `order` or a script's own order lets them run side by side. Default 16. */
  readonly tenantConcurrency?: number;
  /** A tenant of weight 2 has turns twice as long while others wait. Above 0; anything else counts as 1, the default. */
  readonly tenantWeight?: (tenantId: string) => number;
  /** A tenant's rate limit, over all processes. Default none; what makes no sense is reported and counts as none. */
  readonly tenantRate?: (tenantId: string) => TenantRate | undefined;
  /** Of scripts that name none. Default `tenant`: one at a time, in commit order. */
  readonly order?: Order;
  /** Attempts at an action that the infrastructure failed. Default 10. */
  readonly attempts?: number;
  /** First backoff in milliseconds; doubles each time, with jitter, up to 60 s. Default 250. */
  readonly backoffMs?: number;
  /** Milliseconds that a shutdown waits for runs in flight. Default 10,000. */
  readonly drainMs?: number;
}

/** What `SandboxModule.forRoot` takes. */
export interface SandboxModuleOptions {
  readonly tenancy: Tenancy;
  /** Default: Redis, as configured by the host's `BullModule.forRoot()`. */
  readonly queue?: QueueOptions;
  /** Default `quickjs`. */
  readonly engine?: EngineId;
  /** Where scripts run. Default `thread` for quickjs, `process` for js-interpreter, with which a script can abort a process. */
  readonly isolation?: Isolation;
  /** Defaults for every script; see `Limits`. */
  readonly limits?: Partial<Limits>;
  /** No script's own limits go above these. Default: `limits`, but five minutes of `cpuMs`. */
  readonly ceiling?: Partial<Limits>;
  /** Limits of one tenant, over `limits` and under `ceiling`. */
  readonly tenantLimits?: (tenantId: string) => Partial<Limits> | undefined;
  readonly capture?: CaptureOptions;
  readonly relay?: RelayOptions;
  readonly processing?: ProcessingOptions;
  /** Sender of scripts' mails that name none. Default: the default of `@nestjs-modules/mailer`. */
  readonly email?: { readonly from?: string };
  /** Creates the library's tables when a tenant's database is opened. Default true. */
  readonly migrate?: boolean;
  /**
   * Traces writes, the runs they lead to and the runs' bridge calls, in one trace: what BullMQ takes under the same name,
   * such as `new BullMQOtel({ tracerName: 'shop' })` of `bullmq-otel`. Default: nothing is traced.
   */
  readonly telemetry?: Telemetry;
}

type Filled<T> = { readonly [K in keyof T]-?: NonNullable<T[K]> };

/** The options with every default filled in: frozen at boot, what the rest of the library reads. */
export interface SandboxOptions {
  readonly tenancy: Tenancy;
  readonly queue: QueueOptions;
  readonly engine: EngineId;
  /** Left out: as fits the engine. */
  readonly isolation?: Isolation;
  readonly limits: Readonly<Limits>;
  readonly ceiling: Readonly<Limits>;
  readonly tenantLimits: (tenantId: string) => Partial<Limits> | undefined;
  readonly capture: Filled<CaptureOptions>;
  readonly relay: Filled<RelayOptions>;
  readonly processing: Filled<ProcessingOptions>;
  readonly email: { readonly from?: string };
  readonly migrate: boolean;
  /** Left out: nothing is traced. */
  readonly telemetry?: Telemetry;
}

/** Injection token of the resolved `SandboxOptions`. */
export const SANDBOX_OPTIONS = Symbol.for('nestjs-sandbox:options');
