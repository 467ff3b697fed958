import { availableParallelism } from 'node:os';
import { InvalidOptionError } from './errors/options.errors.js';
import { describeValue } from './errors/sandbox-error.js';
import { DEFAULT_LIMITS, type Limits } from './protocol/limits.js';
import { ENGINES, ISOLATIONS } from './protocol/script.js';
import type { ProcessingOptions, QueueOptions, SandboxModuleOptions, SandboxOptions } from './sandbox.options.js';
import {
  assertKnownKeys,
  booleanAt,
  choiceAt,
  countAt,
  frozenCopy,
  functionAt,
  millisecondsAt,
  objectAt,
  type OptionNode,
  textAt,
} from './sandbox.options.checks.js';

const KEYS: Readonly<Record<keyof SandboxModuleOptions, true>> = {
  tenancy: true,
  queue: true,
  engine: true,
  isolation: true,
  limits: true,
  ceiling: true,
  tenantLimits: true,
  capture: true,
  relay: true,
  processing: true,
  email: true,
  migrate: true,
  telemetry: true,
};

/** The most `cpuMs` a script may be granted where the host names no ceiling: the article's five minutes. */
const CEILING_CPU_MS = 300_000;

/**
 * Fills in every default and checks everything, once, at boot. The result is frozen, down to its leaves (`tenancy`,
 * `queue.connection` and `telemetry` excepted, which are handed on as they came). Throws `InvalidOptionError`, which names the option's path and the value.
 */
export function resolveOptions(options: SandboxModuleOptions): SandboxOptions {
  const root = objectAt({ path: 'options', value: options }, true);
  assertKnownKeys({ path: '', value: root }, Object.keys(KEYS));
  const at = (key: keyof SandboxModuleOptions): OptionNode => ({ path: key, value: root[key] });
  const limits = resolveLimits(at('limits'), at('ceiling'));
  return frozenCopy<SandboxOptions>(
    {
      tenancy: checkTenancy(at('tenancy')),
      queue: resolveQueue(at('queue')),
      engine: choiceAt(at('engine'), ENGINES, 'quickjs'),
      ...(root.isolation === undefined ? {} : { isolation: choiceAt(at('isolation'), ISOLATIONS, 'thread') }),
      ...limits,
      tenantLimits: functionAt(at('tenantLimits'), () => undefined),
      capture: { enabled: booleanAt(child(at('capture'), 'enabled', ['enabled']), true) },
      relay: resolveRelay(at('relay')),
      processing: resolveProcessing(at('processing')),
      email: resolveEmail(at('email')),
      migrate: booleanAt(at('migrate'), true),
      ...(root.telemetry === undefined ? {} : { telemetry: checkTelemetry(at('telemetry')) }),
    },
    // A tenancy has a life of its own, and the drivers write to what they are given: pg hides the key in `ssl`.
    ['tenancy', 'connection', 'telemetry'],
  );
}

/** Checks limits given by a host or a script: known names, sensible numbers. `path` is where errors say they stand. */
export function checkLimits(path: string, value: unknown): Partial<Limits> {
  const node = { path, value };
  const given = objectAt(node);
  assertKnownKeys(node, Object.keys(DEFAULT_LIMITS));
  const names = Object.keys(given).filter((name) => given[name] !== undefined) as (keyof Limits)[];
  return Object.fromEntries(
    names.map((name) => [name, limitAt({ path: `${path}.${name}`, value: given[name] }, name)]),
  );
}

function limitAt(node: OptionNode, name: keyof Limits): number {
  if (name.endsWith('Ms')) return millisecondsAt(node, DEFAULT_LIMITS[name]);
  const positive = name.endsWith('Bytes') || name === 'depth';
  const unit = name.endsWith('Bytes') ? 'bytes' : name;
  return countAt(node, { min: positive ? 1 : 0, unit }, DEFAULT_LIMITS[name]);
}

/** The host's defaults never exceed its ceiling: those left out are lowered to it, those named above it are refused. */
function resolveLimits(limitsNode: OptionNode, ceilingNode: OptionNode): Pick<SandboxOptions, 'limits' | 'ceiling'> {
  const named = checkLimits(limitsNode.path, limitsNode.value ?? {});
  const namedCeiling = checkLimits(ceilingNode.path, ceilingNode.value ?? {});
  const wanted: Limits = { ...DEFAULT_LIMITS, ...named };
  const ceiling: Limits = { ...wanted, cpuMs: Math.max(wanted.cpuMs, CEILING_CPU_MS), ...namedCeiling };
  const limits = { ...wanted };
  for (const name of Object.keys(limits) as (keyof Limits)[]) {
    if (limits[name] <= ceiling[name]) continue;
    if (named[name] !== undefined) {
      const problem = `expected at most ceiling.${name}, which is ${ceiling[name]}, got ${named[name]}`;
      throw new InvalidOptionError(`limits.${name}`, problem, named[name]);
    }
    limits[name] = ceiling[name];
  }
  return { limits, ceiling };
}

function checkTenancy(node: OptionNode): SandboxOptions['tenancy'] {
  const tenancy = node.value as Partial<SandboxOptions['tenancy']> | null | undefined;
  for (const method of ['tenants', 'lease', 'tenantOf', 'onOpen', 'close'] as const) {
    if (typeof tenancy?.[method] === 'function') continue;
    const problem = `expected a Tenancy, such as databasePerTenant({ tenants, dataSource }), got ${describeValue(node.value)}`;
    throw new InvalidOptionError(node.path, problem, node.value);
  }
  return tenancy as SandboxOptions['tenancy'];
}

function checkTelemetry(node: OptionNode): NonNullable<SandboxOptions['telemetry']> {
  const telemetry = node.value as SandboxOptions['telemetry'] | null;
  if (typeof telemetry?.tracer?.startSpan === 'function' && typeof telemetry.contextManager?.with === 'function')
    return telemetry;
  const problem = `expected BullMQ's Telemetry, such as new BullMQOtel({ tracerName: 'shop' }), got ${describeValue(node.value)}`;
  throw new InvalidOptionError(node.path, problem, node.value);
}

function resolveQueue(node: OptionNode): QueueOptions {
  const given = objectAt(node);
  assertKnownKeys(node, ['backend', 'connection', 'prefix']);
  const at = (key: string): OptionNode => ({ path: `queue.${key}`, value: given[key] });
  const backend = choiceAt(at('backend'), ['redis', 'postgres'] as const, 'redis');
  const connection = at('connection');
  if (backend === 'postgres') {
    const expected = 'a connection string like "postgres://user:password@host/database", or pg pool options';
    if (typeof connection.value !== 'string' || connection.value === '') objectAt(connection, true, expected);
    const pattern = /^[a-z_][a-z0-9_]{0,62}$/;
    const prefix = textAt(at('prefix'), 'sandbox_queue', {
      pattern,
      expected: 'a lower-case PostgreSQL schema name',
    });
    return { backend, connection: connection.value as string, prefix };
  }
  if (connection.value !== undefined) objectAt(connection, true, '{ url: "redis://..." } or ioredis options');
  checkRedisUrl(connection.value as Readonly<Record<string, unknown>> | undefined);
  const pattern = /^[\w.:-]{1,64}$/;
  const prefix = textAt(at('prefix'), 'sandbox', {
    pattern,
    expected: '1 to 64 letters, digits, "_", ".", ":" and "-"',
  });
  return {
    backend,
    prefix,
    ...(connection.value === undefined ? {} : { connection: connection.value as { url: string } }),
  };
}

/** A `url` that came from a variable that is not set would have ioredis connect to localhost, in silence. */
function checkRedisUrl(connection: Readonly<Record<string, unknown>> = {}): void {
  if (!Object.hasOwn(connection, 'url')) return;
  const { url, host, path } = connection;
  if (url === undefined && (host !== undefined || path !== undefined)) return;
  const expected = 'a URL like "redis://host:6379"';
  if (url === undefined) {
    const problem = `expected ${expected}, got undefined: is the environment variable set that it comes from?`;
    throw new InvalidOptionError('queue.connection.url', problem, url);
  }
  textAt({ path: 'queue.connection.url', value: url }, '', { pattern: /^rediss?:\/\/./, expected });
}

function resolveRelay(node: OptionNode): SandboxOptions['relay'] {
  const given = objectAt(node);
  assertKnownKeys(node, ['intervalMs', 'tenantsPerInterval', 'afterMs', 'backlog']);
  const at = (key: string): OptionNode => ({ path: `relay.${key}`, value: given[key] });
  return {
    intervalMs: millisecondsAt(at('intervalMs'), 1_000),
    tenantsPerInterval: countAt(at('tenantsPerInterval'), { min: 1, unit: 'tenants' }, 50),
    afterMs: millisecondsAt(at('afterMs'), 2_000),
    backlog: countAt(at('backlog'), { min: 1, unit: 'actions' }, 5_000),
  };
}

const PROCESSING_KEYS: Readonly<Record<keyof ProcessingOptions, true>> = {
  enabled: true,
  threads: true,
  concurrency: true,
  tenantConcurrency: true,
  tenantWeight: true,
  tenantRate: true,
  order: true,
  attempts: true,
  backoffMs: true,
  drainMs: true,
};

function resolveProcessing(node: OptionNode): SandboxOptions['processing'] {
  const given = objectAt(node);
  assertKnownKeys(node, Object.keys(PROCESSING_KEYS));
  const at = (key: keyof ProcessingOptions): OptionNode => ({ path: `processing.${key}`, value: given[key] });
  const threads = countAt(at('threads'), { min: 1, unit: 'threads' }, Math.max(2, 2 * availableParallelism()));
  return {
    enabled: booleanAt(at('enabled'), false),
    threads,
    concurrency: countAt(at('concurrency'), { min: 1, unit: 'runs' }, 2 * threads),
    tenantConcurrency: countAt(at('tenantConcurrency'), { min: 1, unit: 'runs' }, 16),
    tenantWeight: functionAt(at('tenantWeight'), () => 1),
    tenantRate: functionAt(at('tenantRate'), () => undefined),
    order: choiceAt(at('order'), ['tenant', 'record', 'none'] as const, 'tenant'),
    attempts: countAt(at('attempts'), { min: 1, unit: 'attempts' }, 10),
    backoffMs: millisecondsAt(at('backoffMs'), 250),
    drainMs: millisecondsAt(at('drainMs'), 10_000),
  };
}

function resolveEmail(node: OptionNode): SandboxOptions['email'] {
  const given = child(node, 'from', ['from']);
  if (given.value === undefined) return {};
  const expected = 'a sender like "Shop <shop@example.com>" on one line';
  return { from: textAt(given, '', { pattern: /^[^\r\n]*\S[^\r\n]*$/, expected }) };
}

function child(node: OptionNode, key: string, known: readonly string[]): OptionNode {
  const given = objectAt(node);
  assertKnownKeys(node, known);
  return { path: `${node.path}.${key}`, value: given[key] };
}
