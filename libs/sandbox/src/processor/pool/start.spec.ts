// Threads and child processes that do not start.
import { DEFAULT_LIMITS } from '../../protocol/limits.js';
import { ProcessPool } from './process-pool.js';
import type { PoolRun, ReplacedReason } from './script-pool.js';
import { ThreadPool } from './thread-pool.js';

const HANGS = 'data:text/javascript,setInterval(() => {}, 1000)';
const DIES = 'data:text/javascript,throw new Error("no")';
const REAL = `file://${process.cwd()}/libs/sandbox/dist/esm/thread/thread.main.js`;
/** What the next threads are; the last one stays. */
let entries: string[] = [];
let childFile = '';

jest.mock('./thread-entry.js', () => ({
  ...jest.requireActual<object>('./thread-entry.js'),
  threadEntry: () => new URL(entries.length > 1 ? (entries.shift() as string) : (entries[0] as string)),
  builtFile: () => new URL(childFile),
}));

const request: PoolRun = {
  script: {
    engine: 'quickjs',
    hash: 'h',
    code: 'return 1',
    async: false,
    positions: { kind: 'insertions', insertions: [] },
  },
  source: '1',
  tenantId: 'acme',
  input: {},
  limits: DEFAULT_LIMITS,
  methods: [],
  deferred: false,
  onCall: async () => ({ ok: true, value: 1 }),
};

describe('a pool whose threads', () => {
  let pool: ThreadPool;
  let replaced: ReplacedReason[];
  afterEach(() => pool.close(0));
  const open = (startMs: number, ...files: string[]): void => {
    entries = files;
    replaced = [];
    pool = new ThreadPool({ threads: 1, startMs, onReplaced: (reason) => replaced.push(reason) });
  };

  it('never are ready fails its runs, and says what to look for', async () => {
    open(200, HANGS);
    const { outcome, error } = await pool.run(request);
    expect([outcome, error?.code, replaced.slice(0, 3)]).toEqual([
      'internalError',
      'SANDBOX_NOT_STARTED',
      ['start', 'start', 'start'],
    ]);
    expect(error?.message).toContain('memory');
  }, 20_000);

  it('die at once fails its runs, too', async () => {
    open(20_000, DIES);
    const { outcome, error } = await pool.run(request);
    expect([outcome, error?.code, replaced[0]]).toEqual(['internalError', 'SANDBOX_NOT_STARTED', 'fault']);
  }, 20_000);

  it('start in the end serves the runs that waited for it', async () => {
    open(3_000, HANGS, REAL);
    const started = await pool.run(request);
    expect([started.outcome, replaced]).toEqual(['ok', ['start']]);
  }, 20_000);
});

describe('a pool whose child process', () => {
  it('never is ready fails its runs, and charges none of them', async () => {
    childFile = `file://${process.cwd()}/libs/sandbox/dist/esm/not-there.js`;
    const pool = new ProcessPool({ threads: 1 });
    const results = await Promise.all([pool.run(request), pool.run(request)]);
    expect(results.map(({ outcome, error }) => [outcome, error?.code])).toEqual([
      ['internalError', 'SANDBOX_NOT_STARTED'],
      ['internalError', 'SANDBOX_NOT_STARTED'],
    ]);
    await pool.close(0);
  }, 20_000);
});
