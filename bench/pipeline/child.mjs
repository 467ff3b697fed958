// What every measured process has in common: it is told to go, counts what it has done, and reports two marks: when the
// warm-up was over, and when all was done.
const now = () => performance.timeOrigin + performance.now();

/** `begin` and `halt` start and stop taking work. Returns what to call for every effect committed. */
export function serveBenchmark({ begin, halt, close }) {
  let done = 0;
  let warm = 0;
  let target = 0;
  let watching = false;
  const mark = (name) => {
    const { user, system } = process.cpuUsage();
    process.send({ mark: name, at: now(), cpuUs: user + system });
  };
  process.on('message', async (message) => {
    if (message.drain) {
      done = 0;
      ({ warm, target } = message.drain);
      await begin();
    }
    if (message.watch) {
      watching = true;
      await begin();
    }
    if (message.rest) {
      watching = false;
      await halt();
      process.send({ resting: true });
    }
    if (message.close) {
      await close();
      process.exit(0);
    }
  });
  process.on('disconnect', () => process.exit(1));
  process.send({ ready: true });
  return () => {
    if (watching) return void process.send({ effectAt: now() });
    done++;
    if (done === warm) mark('warm');
    if (done === target) mark('end');
  };
}
