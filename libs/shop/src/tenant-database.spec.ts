import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { DataSource } from 'typeorm';
import { ensureTenantDatabase, tenantDatabaseUrl, tenantDataSourceOptions } from './tenant-database.js';

const server = process.env.TEST_DATABASE_URL as string;
const tenant = `t${randomUUID().slice(0, 8)}`;

afterAll(async () => {
  const client = new Client({ connectionString: server });
  await client.connect();
  await client.query(`drop database if exists "shop_${tenant}" with (force)`);
  await client.end();
});

it('makes a tenant a database, also when eight do so at once and one more later', async () => {
  await Promise.all(Array.from({ length: 8 }, () => ensureTenantDatabase(server, tenant)));
  await ensureTenantDatabase(server, tenant);
  expect(tenantDatabaseUrl(server, tenant)).toContain(`/shop_${tenant}`);
});

it('makes the tables that the entities describe', async () => {
  await ensureTenantDatabase(server, tenant);
  const dataSource = await new DataSource(tenantDataSourceOptions(server, tenant)).initialize();
  try {
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
    // TypeORM derives names of its own for constraints; everything else would be a difference.
    const differences = upQueries.map(({ query }) => query).filter((query) => !/CONSTRAINT/.test(query));
    expect(differences).toEqual([]);
  } finally {
    await dataSource.destroy();
  }
});
