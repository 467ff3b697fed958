import type { Redis } from 'ioredis';

// The line is a sorted set `ready`: member = tenant, score = place * 2, plus 1 where nobody signalled the tenant and it is
// only being checked. `delayed` holds the tenants that come later: score = milliseconds since the epoch, plus 0.5 for a
// check. A member that already waits keeps its place. The empty member '' in `ready` only wakes whoever blocks on it.

/** KEYS ready seq; ARGV tenants. A tenant that waits for a check is promoted to one that was signalled. */
const SIGNAL = `
local last = redis.call('INCRBY', KEYS[2], #ARGV) - #ARGV
for i = 1, #ARGV do
  if redis.call('ZADD', KEYS[1], 'NX', (last + i) * 2, ARGV[i]) == 0 then
    local score = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i]))
    if score % 2 == 1 then redis.call('ZADD', KEYS[1], score - 1, ARGV[i]) end
  end
end
`;

/** KEYS ready; ARGV tenants. Before the first, also those that were signalled again meanwhile. */
const PUT_BACK = `
local first = math.floor(tonumber(redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] or 0) / 2)
for i = 1, #ARGV do redis.call('ZADD', KEYS[1], 'LT', (first - #ARGV + i - 1) * 2, ARGV[i]) end
`;

/** KEYS delayed ready; ARGV tenant at. Wakes a blocked taker when this is the earliest time. */
const SIGNAL_AT = `
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
redis.call('ZADD', KEYS[1], 'LT', ARGV[2], ARGV[1])
if not first or tonumber(ARGV[2]) < tonumber(first) then redis.call('ZADD', KEYS[2], 'NX', 0, '') end
`;

/**
 * KEYS ready delayed seq epoch; ARGV count now checkAt newEpoch.
 * Returns the epoch, the time of the next delayed tenant ('' if none), then the tenants.
 */
const TAKE = `
local epoch = redis.call('GET', KEYS[4])
if not epoch then
  epoch = ARGV[4]
  redis.call('SET', KEYS[4], epoch)
end
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[2], 'WITHSCORES', 'LIMIT', 0, 500)
if #due > 0 then
  local last = redis.call('INCRBY', KEYS[3], #due / 2) - #due / 2
  for i = 1, #due, 2 do
    local check = tonumber(due[i + 1]) % 1 == 0.5 and 1 or 0
    redis.call('ZREM', KEYS[2], due[i])
    redis.call('ZADD', KEYS[1], 'NX', (last + (i + 1) / 2) * 2 + check, due[i])
  end
end
local popped = redis.call('ZPOPMIN', KEYS[1], ARGV[1])
local answer = {epoch, ''}
for i = 1, #popped, 2 do
  if popped[i] ~= '' then
    answer[#answer + 1] = popped[i]
    if tonumber(popped[i + 1]) % 2 == 0 then redis.call('ZADD', KEYS[2], 'LT', ARGV[3] + 0.5, popped[i]) end
  end
end
answer[2] = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2] or ''
return answer
`;

/** KEYS log counter epoch; ARGV tenant newEpoch. */
const ANNOUNCE = `
if not redis.call('GET', KEYS[3]) then redis.call('SET', KEYS[3], ARGV[2]) end
redis.call('ZADD', KEYS[1], redis.call('INCR', KEYS[2]), ARGV[1])
`;

/** KEYS log counter epoch; ARGV after newEpoch. Returns the epoch, the counter, then the tenants announced after `after`. */
const SINCE = `
local epoch = redis.call('GET', KEYS[3])
if not epoch then
  epoch = ARGV[2]
  redis.call('SET', KEYS[3], epoch)
end
local answer = {epoch, redis.call('GET', KEYS[2]) or '0'}
if ARGV[1] ~= '' then
  for _, tenant in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf')) do answer[#answer + 1] = tenant end
end
return answer
`;

/** The library's own commands, as ioredis shows them once defined. */
export interface SandboxCommands {
  sandboxSignal(ready: string, seq: string, ...tenantIds: string[]): Promise<null>;
  sandboxPutBack(ready: string, ...tenantIds: string[]): Promise<null>;
  sandboxSignalAt(delayed: string, ready: string, tenantId: string, at: number): Promise<null>;
  sandboxTake(
    ready: string,
    delayed: string,
    seq: string,
    epoch: string,
    count: number,
    now: number,
    checkAt: number,
    newEpoch: string,
  ): Promise<string[]>;
  sandboxAnnounce(log: string, counter: string, epoch: string, tenantId: string, newEpoch: string): Promise<null>;
  sandboxSince(log: string, counter: string, epoch: string, after: string, newEpoch: string): Promise<string[]>;
}

/** A connection with the library's own commands. */
export type SandboxRedis = Redis & SandboxCommands;

/** Defines the library's commands on a connection. */
export function withSandboxCommands(redis: Redis): SandboxRedis {
  redis.defineCommand('sandboxSignal', { numberOfKeys: 2, lua: SIGNAL });
  redis.defineCommand('sandboxPutBack', { numberOfKeys: 1, lua: PUT_BACK });
  redis.defineCommand('sandboxSignalAt', { numberOfKeys: 2, lua: SIGNAL_AT });
  redis.defineCommand('sandboxTake', { numberOfKeys: 4, lua: TAKE });
  redis.defineCommand('sandboxAnnounce', { numberOfKeys: 3, lua: ANNOUNCE });
  redis.defineCommand('sandboxSince', { numberOfKeys: 3, lua: SINCE });
  return redis as SandboxRedis;
}
