// Preloaded into the processes under test (NODE_OPTIONS=--import): on SIGWINCH their wall clock goes as many milliseconds
// away from the machine's as the file `CHAOS_CLOCK` says, as when an administrator or NTP sets it. Timers go by the
// monotonic clock and stay as they are. (Nest shuts down on SIGUSR2, too; SIGWINCH is harmless where nobody listens yet.)
import { readFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

if (isMainThread && process.env.CHAOS_CLOCK) {
  const RealDate = Date;
  let offset = 0;
  const now = () => RealDate.now() + offset;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, newTarget) => Reflect.construct(target, args.length > 0 ? args : [now()], newTarget),
    get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
  });
  process.on('SIGWINCH', () => void (offset = Number(readFileSync(process.env.CHAOS_CLOCK, 'utf8')) || 0));
}
