// The pool against threads that somebody has taken over: whatever such a thread sends, in whatever order, comes to one
// outcome of its own run, and to nothing anywhere else.
import fc from 'fast-check';
import { ThreadPool } from '../../libs/sandbox/src/processor/pool/thread-pool.js';
import type { PoolResult, PoolRun } from '../../libs/sandbox/src/processor/pool/script-pool.js';
import type { BridgeCall } from '../../libs/sandbox/src/protocol/bridge-call.js';
import { DEFAULT_LIMITS } from '../../libs/sandbox/src/protocol/limits.js';
import { OUTCOMES } from '../../libs/sandbox/src/protocol/run.js';

jest.mock('../../libs/sandbox/src/processor/pool/thread-entry.js', () => ({
  quickJsModule: () => null,
  threadEntry: () => new URL(`file://${process.cwd()}/test/security/hostile-thread.mjs`),
}));

const MESSAGES = { ready: 4, call: 5, result: 6, unknown: 7, fault: 8 };
const LIMITS = { ...DEFAULT_LIMITS, wallMs: 250, cpuMs: 60, bridgeCallMs: 100, queries: 3, writes: 2, calls: 2 };
const METHODS = ['query', 'execute', 'stock.take'];

/** What the bridge of a run has been asked, and when the run was over. */
class Host {
  readonly calls: BridgeCall[] = [];
  late = 0;
  over = false;

  constructor(private readonly answer: unknown) {}

  async run(pool: ThreadPool, input: PoolRun['input'], limits = LIMITS): Promise<PoolResult> {
    const script: PoolRun['script'] = {
      engine: 'quickjs',
      hash: 'h',
      code: '',
      async: false,
      positions: { kind: 'insertions', insertions: [] },
    };
    const onCall: PoolRun['onCall'] = async (call) => {
      if (this.over) this.late++;
      this.calls.push(call);
      return { ok: true, value: this.answer };
    };
    const run = { script, source: '', tenantId: 'acme', input, limits, methods: METHODS, deferred: true, onCall };
    const result = await pool.run(run);
    this.over = true;
    return result;
  }
}

const call = fc.record({
  method: fc.oneof(fc.constantFrom(...METHODS, 'flush', 'sendEmail', '__proto__', 'constructor'), fc.string()),
  args: fc.oneof(fc.array(fc.jsonValue(), { maxLength: 3 }), fc.jsonValue()),
  deferred: fc.oneof(
    fc.array(fc.record({ method: fc.constantFrom('execute', 'sendEmail', 'query'), args: fc.jsonValue() }), {
      maxLength: 4,
    }),
    fc.jsonValue(),
  ),
});
const report = fc.record(
  {
    outcome: fc.oneof(fc.constantFrom(...OUTCOMES), fc.string()),
    cpuMs: fc.oneof(fc.constantFrom(1, -1, 1e308), fc.jsonValue()),
    logs: fc.oneof(fc.array(fc.record({ level: fc.constant('info'), message: fc.string() })), fc.jsonValue()),
    error: fc.oneof(
      fc.record({ name: fc.jsonValue(), message: fc.jsonValue(), frames: fc.jsonValue() }),
      fc.jsonValue(),
    ),
    settles: fc.boolean(),
    retryAfterMs: fc.constantFrom(1, -1, 1e300),
    peakMemoryBytes: fc.constantFrom(1, -1, 1e300),
    __proto__: fc.constant({ polluted: true }),
  },
  { requiredKeys: ['outcome', 'cpuMs'] },
);
const callText = call.map((value) => JSON.stringify(value));
const resultText = fc
  .tuple(
    report,
    fc.jsonValue(),
    fc.oneof(
      fc.constant(''),
      call.map(({ deferred }) => JSON.stringify(deferred)),
    ),
  )
  .map(([head, value, deferred]) => `${JSON.stringify(head)}\n${JSON.stringify(value)}\n${deferred}`);
const large = fc.constantFrom(
  'x'.repeat(100_000),
  `{"method":"query","args":["${'y'.repeat(100_000)}"],"deferred":[]}`,
);
const text = fc.oneof(
  { weight: 4, arbitrary: callText },
  { weight: 4, arbitrary: resultText },
  { weight: 1, arbitrary: fc.string() },
  { weight: 1, arbitrary: large },
  {
    weight: 1,
    arbitrary: fc.constant(
      '{"__proto__":{"polluted":1},"method":"query","args":[{"__proto__":{"polluted":1}}],"deferred":[]}',
    ),
  },
);
const kind = fc.oneof(fc.constantFrom(...Object.values(MESSAGES)), fc.integer());
const step = fc.oneof(
  { weight: 3, arbitrary: callText.map((body) => ({ do: 'send', kind: MESSAGES.call, text: body })) },
  { weight: 2, arbitrary: resultText.map((body) => ({ do: 'send', kind: MESSAGES.result, text: body })) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('send'), kind, text }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('post'),
      value: fc.oneof(fc.constantFrom(1, 2, null), text, fc.tuple(fc.nat(3), text)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('write'), word: fc.constantFrom(1, 3, 5, 6, 7, 8, 9), value: fc.integer() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('feign'), kind }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.constantFrom(0, 1, 5, 30) }) },
  { weight: 3, arbitrary: fc.constant({ do: 'answer' }) },
  { weight: 1, arbitrary: fc.constant({ do: 'throw' }) },
);

function isWellFormed({ method, args, deferred }: BridgeCall): boolean {
  return (
    (METHODS.includes(method) || method === 'flush') &&
    Array.isArray(args) &&
    deferred.every((each) => METHODS.includes(each.method) && Array.isArray(each.args))
  );
}

function countOf(host: Host, method: string): number {
  const own = host.calls.filter((each) => each.method === method).length;
  return (
    own + host.calls.reduce((sum, { deferred }) => sum + deferred.filter((each) => each.method === method).length, 0)
  );
}

/** A hostile run with a neighbour's beside it, and another tenant's after it in the same pool. */
async function attack(pool: ThreadPool, steps: readonly object[]): Promise<void> {
  const hostile = new Host('for the hostile run');
  const neighbour = new Host('for the neighbour');
  const next = new Host('for the next run');
  const honest = { ...LIMITS, wallMs: 20_000, cpuMs: 5_000, bridgeCallMs: 10_000 };
  const startedAt = performance.now();
  const attacking = hostile.run(pool, { record: { steps } }).then((result) => ({ result, at: performance.now() }));
  const beside = neighbour.run(pool, {}, honest);
  const { result, at } = await attacking;
  const after = await next.run(pool, {}, honest);
  expect({
    outcome: OUTCOMES.includes(result.outcome),
    usage: Object.values(result.usage).every((amount) => Number.isFinite(amount) && amount >= 0),
    retry: result.retryAfterMs === undefined || (result.retryAfterMs >= 0 && result.retryAfterMs < 2 ** 31),
    calls: hostile.calls.filter((each) => !isWellFormed(each)),
    within: [countOf(hostile, 'query') <= 3, countOf(hostile, 'execute') <= 2, countOf(hostile, 'stock.take') <= 2],
    late: hostile.late,
    inTime: at - startedAt < 10_000,
    polluted: ({} as Record<string, unknown>).polluted,
  }).toEqual({
    outcome: true,
    usage: true,
    retry: true,
    calls: [],
    within: [true, true, true],
    late: 0,
    inTime: true,
    polluted: undefined,
  });
  for (const [other, { outcome, value }] of [
    [neighbour, await beside],
    [next, after],
  ] as const)
    expect([outcome, value, other.calls]).toEqual([
      'ok',
      other === neighbour ? 'for the neighbour' : 'for the next run',
      [{ method: 'query', args: ['honest'], deferred: [] }],
    ]);
}

describe('a thread that was taken over', () => {
  let pool: ThreadPool;
  beforeEach(() => {
    pool = new ThreadPool({ threads: 2 });
  });
  afterEach(() => pool.close(0));

  it('comes to one outcome of its own run, whatever it sends, and reaches nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), (steps) => attack(pool, steps)),
      { numRuns: Number(process.env.TEST_FUZZ_RUNS ?? 60), endOnFailure: true },
    );
  }, 240_000);

  const result = (value: string) => ({
    do: 'send',
    kind: MESSAGES.result,
    text: `{"outcome":"ok","logs":[],"cpuMs":1}\n"${value}"\n[{"method":"execute","args":["stolen"]}]`,
  });

  it.each([
    ['a second result, for the run after it', [result('mine'), { do: 'wait', ms: 30 }, result('stolen')]],
    ['a result, and coming to its end as the next run starts', [result('mine'), { do: 'throw' }]],
    [
      'a call on behalf of the run after it',
      [
        result('mine'),
        { do: 'wait', ms: 30 },
        { do: 'send', kind: MESSAGES.call, text: '{"method":"query","args":["stolen"],"deferred":[]}' },
      ],
    ],
    [
      'that it is idle, while the next run is in it',
      [result('mine'), { do: 'wait', ms: 30 }, { do: 'post', value: 1 }],
    ],
    [
      'that it wants to be replaced, as the next run starts',
      [result('mine'), { do: 'wait', ms: 30 }, { do: 'post', value: 2 }],
    ],
    [
      'that the code is unknown, for ever',
      Array.from({ length: 8 }, () => ({ do: 'send', kind: MESSAGES.unknown, text: '' })),
    ],
    [
      'the text of a call, ahead of a call of the next run',
      [result('mine'), { do: 'post', value: '{"method":"execute","args":["stolen"],"deferred":[]}' }],
    ],
    ['of a message that it never sends', [{ do: 'feign', kind: MESSAGES.call }]],
    ['a call that is no JSON', [{ do: 'send', kind: MESSAGES.call, text: '{' }, { do: 'answer' }]],
  ])(
    'gains nothing by telling: %s',
    async (_what, steps) => {
      await attack(pool, steps);
      await attack(pool, steps);
    },
    60_000,
  );

  it('is ended at its limit where it says that a message waits, and sends none', async () => {
    const { outcome } = await new Host(1).run(pool, { record: { steps: [{ do: 'feign', kind: MESSAGES.call }] } });
    expect(outcome).toBe('exceededWall');
  }, 30_000);
});
