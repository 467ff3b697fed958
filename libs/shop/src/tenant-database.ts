import { Client } from 'pg';
import type { DataSourceOptions } from 'typeorm';
import { Customer } from './customer.entity.js';
import { Order } from './order.entity.js';

// Any number, as long as everybody who prepares a database uses the same one.
const PREPARE_LOCK = 8_310_412;

/**
 * The shop's tables. Every statement may run again on a database that has them, so that processes that start together
 * need nothing but the lock; a shop that lives longer than a demo would use migrations.
 */
const SCHEMA = `
create table if not exists customer (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  email text not null,
  order_total numeric not null default 0,
  created_at timestamptz not null default now()
);
create table if not exists "order" (
  id uuid primary key default gen_random_uuid(),
  customer_id uuid not null references customer (id) on delete restrict,
  amount numeric not null,
  status text not null default 'open',
  created_at timestamptz not null default now(),
  version integer not null
);
create index if not exists order_customer on "order" (customer_id);
`;

/** The URL of a tenant's own database, `shop_<tenant>`, on the server that `databaseUrl` names. */
export function tenantDatabaseUrl(databaseUrl: string, tenantId: string): string {
  const url = new URL(databaseUrl);
  url.pathname = `/${databaseName(tenantId)}`;
  return url.href;
}

/** TypeORM's options for a tenant's database. The tables are made by `ensureTenantDatabase`, not by TypeORM. */
export function tenantDataSourceOptions(databaseUrl: string, tenantId: string): DataSourceOptions {
  return {
    type: 'postgres',
    url: tenantDatabaseUrl(databaseUrl, tenantId),
    entities: [Customer, Order],
    poolSize: 5,
    applicationName: `shop:${tenantId}`.slice(0, 63),
  };
}

/** Creates the tenant's database and the shop's tables where they are missing. Safe when many processes do it at once. */
export async function ensureTenantDatabase(databaseUrl: string, tenantId: string): Promise<void> {
  await connected(databaseUrl, async (server) => {
    const name = databaseName(tenantId);
    await server.query('select pg_advisory_lock($1)', [PREPARE_LOCK]);
    const { rowCount } = await server.query('select from pg_database where datname = $1', [name]);
    if (rowCount === 0) await server.query(`create database ${server.escapeIdentifier(name)}`);
  });
  await connected(tenantDatabaseUrl(databaseUrl, tenantId), async (database) => {
    // One simple query of many statements is one transaction: the lock ends with it.
    await database.query(`select pg_advisory_xact_lock(${PREPARE_LOCK});${SCHEMA}`);
  });
}

function databaseName(tenantId: string): string {
  return `shop_${tenantId}`;
}

/** Runs `work` on a connection of its own; closing it also gives back session locks. */
async function connected(url: string, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  // Without a listener, a server that goes down between two statements ends the process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
