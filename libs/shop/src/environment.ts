/** A variable of the environment that is missing or makes no sense; the message names it and says what to set. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
  readonly code = 'SHOP_INVALID_ENVIRONMENT';
}

/** What both processes read from the environment. */
export interface ShopEnvironment {
  /** `DATABASE_URL`: a PostgreSQL server; each tenant has its own database there. */
  readonly databaseUrl: string;
  /** `TENANTS`: their ids. */
  readonly tenants: readonly string[];
  /** `REDIS_URL`: where the queues live. Left out: in the database that `DATABASE_URL` names. */
  readonly redisUrl: string | undefined;
}

/** What the api reads besides. */
export interface ApiEnvironment extends ShopEnvironment {
  /** `PORT`, default 3000; 0 takes a free one. */
  readonly port: number;
  /** `ADMIN_TOKEN`: the bearer token of the admin API. */
  readonly adminToken: string;
}

/** What a processor reads besides. */
export interface ProcessorEnvironment extends ShopEnvironment {
  /** `SMTP_URL`: where mails go. Left out: they stay in the tenants' databases until a processor has one. */
  readonly smtpUrl: string | undefined;
  /** `HEALTH_PORT`: where it answers `/health` and `/metrics`; 0 takes a free one. Left out: nowhere. */
  readonly healthPort: number | undefined;
}

type Variables = Readonly<Record<string, string | undefined>>;

// The database is called shop_<tenant>, and PostgreSQL cuts names at 63 bytes: two long tenants could meet in one.
const TENANT_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,57}$/;

/** The variables of both processes. Throws `EnvironmentError`. */
export function readEnvironment(variables: Variables): ShopEnvironment {
  return {
    databaseUrl: url(variables, 'DATABASE_URL', ['postgres:', 'postgresql:'], 'postgres://user:password@host:5432/db'),
    tenants: tenants(variables),
    redisUrl: variables.REDIS_URL
      ? url(variables, 'REDIS_URL', ['redis:', 'rediss:'], 'redis://host:6379, or leave it out to queue on PostgreSQL')
      : undefined,
  };
}

/** The variables of the api. Throws `EnvironmentError`. */
export function readApiEnvironment(variables: Variables): ApiEnvironment {
  const { PORT, ADMIN_TOKEN } = variables;
  return {
    ...readEnvironment(variables),
    port: PORT ? port(variables, 'PORT') : 3000,
    adminToken: adminToken(ADMIN_TOKEN),
  };
}

/** The variables of a processor. Throws `EnvironmentError`. */
export function readProcessorEnvironment(variables: Variables): ProcessorEnvironment {
  const smtpUrl = variables.SMTP_URL
    ? url(variables, 'SMTP_URL', ['smtp:', 'smtps:'], 'smtp://user:password@host:587')
    : undefined;
  const healthPort = variables.HEALTH_PORT ? port(variables, 'HEALTH_PORT') : undefined;
  return { ...readEnvironment(variables), smtpUrl, healthPort };
}

function url(variables: Variables, name: string, protocols: readonly string[], example: string): string {
  const value = variables[name];
  if (!value) throw new EnvironmentError(`${name} is not set. Set it to ${example}.`);
  // The value may hold a password: it is not repeated in the message.
  if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) {
    throw new EnvironmentError(`${name} is not a URL of the form ${example}.`);
  }
  return value;
}

function tenants(variables: Variables): readonly string[] {
  const ids = (variables.TENANTS ?? '')
    .split(',')
    .map((id) => id.trim())
    .filter((id) => id !== '');
  if (ids.length === 0) throw new EnvironmentError('TENANTS is not set. Set it to the tenants\' ids: "acme,globex".');
  for (const id of ids) {
    if (!TENANT_ID.test(id)) {
      throw new EnvironmentError(
        `TENANTS holds ${JSON.stringify(id)}: use 1 to 58 letters, digits, "-" and "_", starting with a letter or digit.`,
      );
    }
  }
  if (new Set(ids).size < ids.length) throw new EnvironmentError('TENANTS names a tenant twice.');
  return ids;
}

function port(variables: Variables, name: string): number {
  const value = variables[name] ?? '';
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535) {
    throw new EnvironmentError(`${name} is ${JSON.stringify(value)}: use a number from 0 to 65535.`);
  }
  return Number(value);
}

function adminToken(value: string | undefined): string {
  if (!value) {
    throw new EnvironmentError(
      'ADMIN_TOKEN is not set. It guards the admin API: set a long random text, for example from "openssl rand -hex 32".',
    );
  }
  return value;
}
