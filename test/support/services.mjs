// Starts PostgreSQL and Redis and keeps them up; prints the environment that makes `npm test` use them (a faster loop).
import { startPostgres } from './postgres.mjs';
import { startRedis } from './redis.mjs';

const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
console.log(`export TEST_DATABASE_URL=${postgres.url} TEST_REDIS_URL=${redis.url}`);
const stop = () => void Promise.all([postgres.stop(), redis.stop()]).then(() => process.exit(0));
process.once('SIGINT', stop).once('SIGTERM', stop);
setInterval(() => {}, 1 << 30);
