import { randomUUID } from 'node:crypto';
import { Client } from 'pg';

/** Ids of two tenants that nobody else uses. */
export function tenantNames(): [acme: string, globex: string] {
  const suffix = randomUUID().slice(0, 8);
  return [`acme-${suffix}`, `globex-${suffix}`];
}

/** Removes the tenants' databases, and the one that `databaseUrl` names. */
export async function dropTenants(databaseUrl: string, tenants: readonly string[]): Promise<void> {
  const url = new URL(databaseUrl);
  const own = url.pathname.slice(1);
  url.pathname = '/postgres';
  const client = new Client({ connectionString: url.href });
  await client.connect();
  for (const name of [...tenants.map((tenant) => `shop_${tenant}`), ...(own === 'postgres' ? [] : [own])]) {
    await client.query(`drop database if exists "${name}" with (force)`);
  }
  await client.end();
}
