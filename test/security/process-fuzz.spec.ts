// The pool against a child process that somebody has taken over: whatever bytes it sends come to one outcome of the run that
// is in it, and to nothing anywhere else. No honest run notices.
import fc from 'fast-check';
import type { PoolResult, PoolRun } from '../../libs/sandbox/src/processor/pool/script-pool.js';
import { ProcessPool } from '../../libs/sandbox/src/processor/pool/process-pool.js';
import type { BridgeCall } from '../../libs/sandbox/src/protocol/bridge-call.js';
import { DEFAULT_LIMITS } from '../../libs/sandbox/src/protocol/limits.js';
import { OUTCOMES } from '../../libs/sandbox/src/protocol/run.js';

jest.mock('../../libs/sandbox/src/processor/pool/thread-entry.js', () => ({
  builtFile: () => new URL(`file://${process.cwd()}/test/security/hostile-process.mjs`),
}));

const METHODS = ['query', 'execute', 'stock.take'];
const LIMITS = { ...DEFAULT_LIMITS, queries: 3, writes: 2, calls: 2, rowsRead: 4, resultBytes: 1_000, logBytes: 500 };

interface Attack {
  readonly result: PoolResult;
  readonly calls: readonly BridgeCall[];
}

async function run(pool: ProcessPool, input: PoolRun['input'], answer: unknown): Promise<Attack> {
  const script: PoolRun['script'] = {
    engine: 'js-interpreter',
    hash: 'h',
    code: '',
    async: false,
    positions: { kind: 'insertions', insertions: [] },
  };
  const calls: BridgeCall[] = [];
  const onCall: PoolRun['onCall'] = async (call) => {
    calls.push(call);
    return { ok: true, value: answer };
  };
  const request = { script, source: '', tenantId: 'acme', input, limits: LIMITS, methods: METHODS, deferred: true };
  return { result: await pool.run({ ...request, onCall }), calls };
}

const call = fc.record({
  method: fc.oneof(fc.constantFrom(...METHODS, 'flush', 'sendEmail', '__proto__'), fc.string()),
  args: fc.oneof(fc.array(fc.jsonValue(), { maxLength: 2 }), fc.jsonValue()),
  deferred: fc.oneof(
    fc.array(fc.record({ method: fc.constantFrom('execute', 'sendEmail', 'query'), args: fc.array(fc.jsonValue()) }), {
      maxLength: 3,
    }),
    fc.jsonValue(),
  ),
});
const report = fc.record({
  outcome: fc.oneof(fc.constantFrom(...OUTCOMES), fc.jsonValue()),
  logs: fc.oneof(fc.array(fc.record({ level: fc.constant('info'), message: fc.string() })), fc.jsonValue()),
  usage: fc.oneof(fc.record({ cpuMs: fc.constantFrom(1, -1, 1e308, 'x'), calls: fc.jsonValue() }), fc.jsonValue()),
  error: fc.oneof(fc.record({ name: fc.jsonValue(), message: fc.jsonValue(), line: fc.jsonValue() }), fc.jsonValue()),
  retryAfterMs: fc.constantFrom(1, -1, 1e300, 'x'),
});
const id = fc.constantFrom('$ID', '$ID', '$ID', '99', '-1', '1e300', '"$ID"', '{}', 'null');
const callFrame = fc
  .tuple(id, fc.jsonValue(), call)
  .map(([to, turn, body]) => `{"type":"call","id":${to},"turn":${JSON.stringify(turn)}}\n${JSON.stringify(body)}`);
const resultFrame = fc
  .tuple(id, report, fc.jsonValue(), fc.oneof(fc.constant([]), fc.jsonValue()), fc.jsonValue())
  .map(
    ([to, about, value, deferred, stats]) =>
      `{"type":"result","id":${to},"report":${JSON.stringify(about)},"stats":${JSON.stringify(stats)}}\n` +
      `${JSON.stringify(value)}\n${JSON.stringify(deferred)}`,
  );
const text = fc.oneof(
  { weight: 6, arbitrary: callFrame },
  { weight: 6, arbitrary: resultFrame },
  { weight: 1, arbitrary: fc.string() },
  { weight: 1, arbitrary: fc.jsonValue().map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.constant('{"type":"ready"}') },
);
const step = fc.oneof(
  { weight: 12, arbitrary: text.map((body) => ({ do: 'frame', text: body })) },
  {
    weight: 1,
    arbitrary: fc.uint8Array().map((bytes) => ({ do: 'bytes', base64: Buffer.from(bytes).toString('base64') })),
  },
  { weight: 2, arbitrary: fc.constantFrom(0, 5).map((ms) => ({ do: 'wait', ms })) },
);

const countOf = (calls: readonly BridgeCall[], method: string): number =>
  [...calls, ...calls.flatMap(({ deferred }) => deferred)].filter((each) => each.method === method).length;

/** A hostile run with a neighbour's in the same child, and another one after it. */
async function attack(pool: ProcessPool, steps: readonly object[]): Promise<PoolResult> {
  const hostile = run(pool, { record: { steps } }, [1]);
  const beside = run(pool, {}, 'for the neighbour');
  const { result, calls } = await hostile;
  const { usage, logs, deferred } = result;
  expect({
    outcome: OUTCOMES.includes(result.outcome),
    usage: Object.values(usage).every((amount) => Number.isFinite(amount) && amount >= 0),
    retry: result.retryAfterMs === undefined || (result.retryAfterMs >= 0 && result.retryAfterMs < 2 ** 31),
    logs: JSON.stringify(logs).length < 2_000,
    value: result.value === undefined || JSON.stringify(result.value).length <= 2_000,
    granted: [...calls, ...deferred].every(({ method }) => METHODS.includes(method) || method === 'flush'),
    within: [countOf(calls, 'query') <= 3, countOf(calls, 'execute') <= 2, countOf(calls, 'stock.take') <= 2],
    polluted: ({} as Record<string, unknown>).polluted,
  }).toEqual({
    outcome: true,
    usage: true,
    retry: true,
    logs: true,
    value: true,
    granted: true,
    within: [true, true, true],
    polluted: undefined,
  });
  const after = await run(pool, {}, 'for the next run');
  expect([(await beside).result.value, after.result.value]).toEqual(['for the neighbour', 'for the next run']);
  return result;
}

describe('a child process that was taken over', () => {
  let pool: ProcessPool;
  const thrown: unknown[] = [];
  const note = (error: unknown): unknown => thrown.push(error);
  beforeAll(() => process.on('uncaughtException', note).on('unhandledRejection', note));
  afterAll(() => {
    process.off('uncaughtException', note).off('unhandledRejection', note);
  });
  beforeEach(() => {
    pool = new ProcessPool({ threads: 2 });
  });
  afterEach(async () => {
    await pool.close(0);
    expect(thrown.splice(0)).toEqual([]);
  });

  it('comes to one outcome of its run, whatever it sends, and reaches nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 6 }), async (steps) => {
        await attack(pool, steps);
      }),
      { numRuns: Number(process.env.TEST_FUZZ_RUNS ?? 30), endOnFailure: true },
    );
  }, 240_000);

  const frame = (body: string) => ({ do: 'frame', text: body });
  const query = '{"type":"call","id":$ID,"turn":1}\n{"method":"query","args":[],"deferred":[]}';
  const resultOf = (value: string, deferred = '[]') =>
    `{"type":"result","id":$ID,"report":{"outcome":"ok"},"stats":{}}\n${value}\n${deferred}`;

  it.each([
    ['text that is no message', [frame('nonsense')]],
    ['a frame of 4 GB', [{ do: 'bytes', base64: Buffer.from('ffffffff00', 'hex').toString('base64') }]],
    ['a call for a run that is not there', [frame(query.replace('$ID', '99'))]],
    ['two calls at once', [{ do: 'frames', texts: [query, query] }]],
    ['a method that the run was not given', [frame(query.replace('query', 'sendEmail'))]],
    ['a call that is none', [frame('{"type":"call","id":$ID,"turn":1}\nnull')]],
    ['more mails than there may be', [frame(resultOf('1', '[{"method":"sendEmail","args":[]}]'))]],
    ['a value above the limit', [frame(resultOf(`"${'x'.repeat(5_000)}"`))]],
    ['a result that is none', [frame('{"type":"result","id":$ID,"report":7}\n\n[]')]],
  ])(
    'is ended where it sends %s, and its run with it',
    async (_what, steps) => {
      const { outcome, error } = await attack(pool, [...steps, { do: 'wait', ms: 5_000 }]);
      expect([outcome, error?.code]).toEqual(['exception', 'SANDBOX_MISCONDUCT']);
    },
    60_000,
  );

  it('has one result, the first', async () => {
    const { value } = await attack(pool, [frame(resultOf('"first"')), frame(resultOf('"second"'))]);
    expect(value).toBe('first');
  });

  it('is answered where the host has no JSON to answer with', async () => {
    const { result } = await run(pool, {}, 10n);
    expect(result.outcome).toBe('ok');
  });
});
