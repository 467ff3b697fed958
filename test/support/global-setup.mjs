// Before all tests: the library's JavaScript (worker threads need real files), one PostgreSQL and one Redis for the
// whole run. A spec makes databases and queue prefixes of its own on them. TEST_DATABASE_URL and TEST_REDIS_URL, where
// set, name servers to use instead.
import { execFileSync } from 'node:child_process';
import { startPostgres } from './postgres.mjs';
import { startRedis } from './redis.mjs';

export default async function globalSetup() {
  execFileSync(process.execPath, ['libs/sandbox/build.mjs', '--js-only'], { stdio: 'inherit' });
  if (!process.env.TEST_DATABASE_URL) {
    globalThis.__postgres = await startPostgres();
    process.env.TEST_DATABASE_URL = globalThis.__postgres.url;
  }
  if (!process.env.TEST_REDIS_URL) {
    globalThis.__redis = await startRedis();
    process.env.TEST_REDIS_URL = globalThis.__redis.url;
  }
}
