// `bench engine`: the sandbox beside stock js-interpreter used as in the article, a native function in the same threads, a
// new wasm instance, isolated-vm (where it is installed) and a bare postMessage. Rivals take turns in every round.
import { articleThread, library, nativeLibrary, ourPool, pingThread } from './engine/contenders.mjs';
import { LONG, TRIGGER, WAITING } from './engine/scripts.mjs';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const ROUND_MS = Number(process.env.BENCH_ROUND_MS ?? 500);
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Runs per second of `once`, with `inFlight` at the same time, over about `ms`. */
async function rate(once, inFlight, ms = ROUND_MS) {
  const startedAt = performance.now();
  let runs = 0;
  const lane = async () => {
    while (performance.now() - startedAt < ms) {
      await once();
      runs++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return runs / ((performance.now() - startedAt) / 1000);
}

/** Medians of several rounds in which the contenders take turns; the first round warms up and does not count. */
async function compare(contenders) {
  const seen = contenders.map(() => []);
  for (let round = 0; round <= ROUNDS; round++)
    for (const [i, { once, inFlight }] of contenders.entries()) {
      const value = await rate(once, inFlight);
      if (round > 0) seen[i].push(value);
    }
  return seen.map(median);
}

async function scripts(emit) {
  const native = nativeLibrary();
  const quickjs = await ourPool({ source: TRIGGER });
  const interpreter = await ourPool({ source: TRIGGER, engine: 'js-interpreter' });
  const floor = await ourPool({ source: TRIGGER, from: native.from });
  const article = articleThread(TRIGGER);
  const [ours, second, plain, stock] = await compare([
    { ...quickjs, inFlight: 4 },
    { ...interpreter, inFlight: 4 },
    { ...floor, inFlight: 4 },
    { ...article, inFlight: 1 },
  ]);
  const unit = 'runs/s';
  const rival = "stock js-interpreter, the article's way";
  emit({ metric: 'quickjs-vs-stock-js-interpreter', value: ours, unit, rival, rivalValue: stock });
  emit({ metric: 'quickjs-vs-native', value: ours, unit, rival: 'a native function in the thread', rivalValue: plain });
  emit({ metric: 'js-interpreter-vs-stock', value: second, unit, rival, rivalValue: stock });
  await Promise.all([quickjs, interpreter, floor, article].map((one) => one.close()));
  await longScript(emit, native);
  native.remove();
}

/** The same with 100 lines of work in the script, where the engine's own speed counts for more. */
async function longScript(emit, native) {
  const quickjs = await ourPool({ source: LONG });
  const floor = await ourPool({ source: LONG, from: native.from });
  const article = articleThread(LONG);
  const [ours, plain, stock] = await compare([
    { ...quickjs, inFlight: 4 },
    { ...floor, inFlight: 4 },
    { ...article, inFlight: 1 },
  ]);
  const unit = 'runs/s';
  const rival = "stock js-interpreter, the article's way";
  emit({ metric: 'quickjs-vs-stock-long-script', value: ours, unit, rival, rivalValue: stock });
  const beside = 'a native function in the thread';
  emit({ metric: 'quickjs-vs-native-long-script', value: ours, unit, rival: beside, rivalValue: plain });
  await Promise.all([quickjs, floor, article].map((one) => one.close()));
}

/** Milliseconds that `what` takes, the median of `times`. */
async function timed(times, what) {
  const values = [];
  for (let i = 0; i < times; i++) values.push(await what());
  return median(values);
}

async function isolatedVm() {
  const ivm = await import('isolated-vm').then(
    (loaded) => loaded.default,
    () => undefined,
  );
  if (!ivm) return undefined;
  return timed(30, async () => {
    const startedAt = performance.now();
    const isolate = new ivm.Isolate({ memoryLimit: 64 });
    await isolate.createContext();
    const took = performance.now() - startedAt;
    isolate.dispose();
    return took;
  });
}

async function pristine(emit) {
  const { QuickJsSandbox } = await library('thread/engines/quickjs/sandbox.js');
  const { quickJsModule } = await library('processor/pool/thread-entry.js');
  const limit = 64 * 1024 * 1024;
  const host = { call: () => '{"ok":true,"value":[]}', log: () => {}, cpuMs: () => 0, shouldStop: () => false };
  const sandbox = await QuickJsSandbox.create(quickJsModule(), limit);
  const script = { engine: 'quickjs', hash: 'x', code: 'return context.record.a', async: false };
  const limits = { resultBytes: 1e6 };
  const image = sandbox.loadScript(script, JSON.stringify({ methods: [], pure: {}, deferred: false, limits }), host);
  const value = await timed(2_000, () => {
    sandbox.start('{"record":{"a":1}}', [1, 2, 3, 4], host);
    const startedAt = performance.now();
    sandbox.restore(image);
    return performance.now() - startedAt;
  });
  const instance = await timed(30, async () => {
    const startedAt = performance.now();
    await QuickJsSandbox.create(quickJsModule(), limit);
    return performance.now() - startedAt;
  });
  const unit = 'ms';
  const rival = 'a new wasm instance with a context';
  emit({ metric: 'pristine-vs-wasm-instance', value, unit, rival, rivalValue: instance });
  const isolate = await isolatedVm();
  const beside = isolate === undefined ? {} : { rival: 'a new isolated-vm isolate', rivalValue: isolate };
  emit({ metric: 'pristine-vs-isolated-vm', value, unit, ...beside });
}

const CALLS = 1_000;

async function bridge(emit) {
  const source = `for (let i = 0; i < ${CALLS}; i++) context.query(null); 1`;
  const onCall = async () => ({ ok: true, value: null });
  const caller = await ourPool({ source, onCall, limits: { queries: 1e9, cpuMs: 60_000 } });
  const ping = pingThread();
  const pings = async () => {
    for (let i = 0; i < CALLS; i++) await ping.once();
  };
  const [ours, bare] = await compare([
    { once: caller.once, inFlight: 1 },
    { once: pings, inFlight: 1 },
  ]);
  const micros = (perSecond) => 1e6 / (perSecond * CALLS);
  const rival = 'a bare postMessage ping-pong';
  emit({ metric: 'bridge-call-vs-postmessage', value: micros(ours), unit: 'us', rival, rivalValue: micros(bare) });
  await Promise.all([caller.close(), ping.close()]);
}

async function waiting(emit) {
  const onCall = () => new Promise((resolve) => setTimeout(() => resolve({ ok: true, value: [] }), 2));
  const many = await ourPool({ source: WAITING, threads: 16, onCall });
  const one = await ourPool({ source: WAITING, threads: 1, onCall });
  const end = performance.now() + 20_000;
  while (many.pool.stats().threads < 16 && performance.now() < end) await rate(many.once, 64, 200);
  const [value, rivalValue] = await compare([
    { ...many, inFlight: 32 },
    { ...one, inFlight: 2 },
  ]);
  emit({ metric: 'io-16-threads-vs-1', value, unit: 'runs/s', rival: 'the same with one thread', rivalValue });
  await Promise.all([many.close(), one.close()]);
}

/** Measures everything; `emit` takes one row of the contract's table. */
export async function run(emit) {
  const row = (result) => emit({ name: 'engine', ...result });
  await scripts(row);
  await pristine(row);
  await bridge(row);
  await waiting(row);
}
