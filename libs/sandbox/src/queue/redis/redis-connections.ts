import type { Socket } from 'node:net';
import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { QueueDriverMissingError } from '../../errors/queue.errors.js';

/** A Redis to connect to: a URL, ioredis options (which may hold a `url`), or a connection that is duplicated. */
export type RedisConnectionOption = string | { readonly url: string } | RedisOptions | Redis | Cluster;

/** Reconnects quickly at first, then twice a second. */
const retryStrategy = (times: number): number => Math.min(times * 50, 500);

/**
 * Commands wait for a reconnect, but not for ever: with the delays above the 15th attempt comes about 5 s after the
 * connection was lost, and then everything that waits is rejected.
 */
const COMMANDS: RedisOptions = { maxRetriesPerRequest: 15, retryStrategy };

/** A blocking command must never be sent again by itself: the tenant it had popped would be lost twice over. */
const BLOCKING: RedisOptions = { maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false, retryStrategy };

/** The two connections of a process. */
export interface RedisConnections {
  readonly commands: Redis;
  readonly blocking: Redis;
}

/** Makes the connections; they connect in the background and reconnect for ever. */
export async function openRedis(option: RedisConnectionOption): Promise<RedisConnections> {
  const make = await connector(option);
  return { commands: noticeSilence(writeTogether(make(COMMANDS))), blocking: make(BLOCKING) };
}

async function connector(option: RedisConnectionOption): Promise<(own: RedisOptions) => Redis> {
  if (isConnection(option)) return (own) => quiet(duplicate(option, own));
  const RedisClass = await loadRedis();
  if (typeof option === 'string') return (own) => quiet(new RedisClass(option, own));
  const { url, ...rest } = option as RedisOptions & { url?: string };
  return (own) => quiet(url ? new RedisClass(url, { ...rest, ...own }) : new RedisClass({ ...rest, ...own }));
}

function isConnection(option: RedisConnectionOption): option is Redis | Cluster {
  return typeof option === 'object' && 'duplicate' in option && typeof option.duplicate === 'function';
}

/** A Cluster has the same commands as a Redis; only its options sit one level deeper. */
function duplicate(connection: Redis | Cluster, own: RedisOptions): Redis {
  if (!('nodes' in connection)) return connection.duplicate(own);
  const redisOptions = { ...connection.options.redisOptions, ...own };
  return connection.duplicate(undefined, { redisOptions }) as unknown as Redis;
}

/** Connection errors come back as rejected commands; without a listener Node would end the process for them. */
function quiet(redis: Redis): Redis {
  return redis.on('error', () => {});
}

/**
 * Commands written together at most. All of a turn's in one call leave Redis idle while this process works through a batch
 * of answers, and this process idle while Redis works through the batch of commands. 16 cost no more of either's time than
 * no bound at all (1.11 and 1.22 of BullMQ's own Worker; 8 cost 1.21 and 1.37), and with 64 slots keep four batches moving.
 */
const TOGETHER = 16;

/**
 * Commands that are issued in one turn of the event loop leave in a few system calls: under load that saves a tenth of the
 * process's time. ioredis writes each by itself, and its own pipelining waits for the answers before it writes again.
 */
function writeTogether(redis: Redis): Redis {
  return redis.on('connect', () => {
    const { stream } = redis as unknown as { stream?: Socket };
    if (!stream) return;
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
    let held = 0;
    const send = (): void => {
      if (held === 0) return;
      held = 0;
      stream.uncork();
    };
    stream.write = (...args: unknown[]): boolean => {
      if (held === 0) {
        stream.cork();
        process.nextTick(send);
      }
      held += 1;
      const more = write(...args);
      if (held === TOGETHER) send();
      return more;
    };
  });
}

/** Milliseconds between two looks at a connection, and how many without an answer are too many. */
const LOOK_EVERY_MS = 2_000;
const SILENT_LOOKS = 5;

/**
 * Closes a connection whose other end is gone without a word, on which commands would wait for ever; it is made anew, and
 * they are sent again. (`socketTimeout` of ioredis 5.11 leaves its timer running when a connection ends, and it hits the
 * next one.) The blocking connection has a watchdog of its own.
 */
function noticeSilence(redis: Redis): Redis {
  return redis.on('connect', () => {
    const { stream, commandQueue } = redis as unknown as {
      stream?: Socket;
      commandQueue?: { readonly length: number };
    };
    if (!stream || !commandQueue) return;
    let [heard, silent] = [stream.bytesRead, 0];
    const timer = setInterval(() => {
      silent = commandQueue.length > 0 && stream.bytesRead === heard ? silent + 1 : 0;
      heard = stream.bytesRead;
      if (silent > SILENT_LOOKS) stream.destroy(new Error('The server has not answered for 10 s'));
    }, LOOK_EVERY_MS);
    timer.unref();
    stream.once('close', () => clearInterval(timer));
  });
}

async function loadRedis(): Promise<typeof Redis> {
  try {
    const loaded = (await import('ioredis')) as { Redis?: typeof Redis; default?: { Redis?: typeof Redis } };
    const found = loaded.Redis ?? loaded.default?.Redis;
    if (found) return found;
  } catch (error) {
    throw new QueueDriverMissingError('ioredis', error);
  }
  throw new QueueDriverMissingError('ioredis');
}
