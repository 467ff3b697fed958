// The actions as those who look after them see them: listed in pages, run again, replayed, cancelled; each by one
// statement that names the state it starts from.
import { randomUUID } from 'node:crypto';
import { ActionsService } from '../../libs/sandbox/src/actions/actions.service.js';
import { QUEUE_BACKEND, type QueueBackend } from '../../libs/sandbox/src/queue/queue-backend.js';
import { ScriptsService } from '../../libs/sandbox/src/scripts/scripts.service.js';
import { Fixture, type Instance } from './scripts.fixture.js';

const fixture = new Fixture();
let instance: Instance;
let actions: ActionsService;
let backend: QueueBackend;
let scriptId: string;

beforeAll(async () => {
  await fixture.start();
  instance = await fixture.instance();
  actions = instance.module.get(ActionsService);
  backend = instance.module.get(QUEUE_BACKEND);
  const deploy = { name: 'total', entity: 'order', on: ['create' as const], source: '1' };
  scriptId = (await instance.module.get(ScriptsService).deploy('acme', deploy)).id;
});
afterAll(() => fixture.stop());
beforeEach(() => (instance.dispatched.length = 0));

async function sql(text: string, values: unknown[] = [], tenant = 'acme') {
  const lease = await instance.tenancy.lease(tenant);
  try {
    return (await lease.sql.query({ text, values })).rows;
  } finally {
    lease.release();
  }
}

const change = { record: { id: 7, amount: '5' }, prevRecord: {}, changed: ['amount'] };

async function insert(row: Record<string, unknown> = {}): Promise<string> {
  const id = randomUUID();
  const columns = {
    id,
    script_id: scriptId,
    script_name: 'total',
    script_version: 1,
    entity: 'order',
    operation: 'create',
    record_id: '7',
    change: JSON.stringify(change),
    user_id: 'jo',
    ...row,
  };
  const names = Object.keys(columns);
  const places = names.map((_, index) => `$${index + 1}`);
  await sql(`insert into sandbox_action (${names.join(', ')}) values (${places.join(', ')})`, Object.values(columns));
  return id;
}

const finished = (status: string, more: Record<string, unknown> = {}) =>
  insert({
    status,
    finished_at: new Date(),
    attempt: 3,
    outcome: 'exception',
    error: { name: 'E', message: 'm' },
    ...more,
  });

describe('list', () => {
  it('goes through every action, the newest first, page by page', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 7; index++) ids.unshift(await insert({ entity: 'paged' }));
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await actions.list('acme', { entity: 'paged', limit: 3, ...(cursor ? { cursor } : {}) });
      expect(page.items.length).toBeLessThanOrEqual(3);
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor as string | null;
    } while (cursor);
    expect(seen).toEqual(ids);
  });

  it('narrows by status, script and entity, and tells queued from pending', async () => {
    const entity = 'narrow';
    const pending = await insert({ entity });
    const queued = await insert({ entity, queued_at: new Date() });
    const failed = await finished('failed', { entity, queued_at: new Date() });
    const other = await insert({ entity, script_id: randomUUID(), script_name: 'other' });
    const ids = async (query: object) => (await actions.list('acme', { entity, ...query })).items.map(({ id }) => id);
    expect(await ids({ status: 'pending' })).toEqual([other, pending]);
    expect(await ids({ status: 'queued' })).toEqual([queued]);
    expect(await ids({ status: 'failed' })).toEqual([failed]);
    expect(await ids({ script: 'total' })).toEqual([failed, queued, pending]);
    expect(await ids({ script: 'unknown' })).toEqual([]);
    expect(await actions.list('globex')).toEqual({ items: [], nextCursor: null });
    expect((await actions.list('acme', { entity, status: 'queued' })).items[0]).toMatchObject({ status: 'queued' });
  });

  it('refuses filters that make no sense', async () => {
    const refused = (query: unknown, message: string) =>
      expect(actions.list('acme', query as never)).rejects.toMatchObject({
        code: 'SANDBOX_INVALID_ACTION_FILTER',
        message: expect.stringContaining(message),
      });
    await refused({ status: 'finished' }, 'status: expected one of pending, queued');
    await refused({ cursor: 'x' }, 'cursor: expected the nextCursor of an earlier page, got "x"');
    await refused({ limit: 0 }, 'limit: expected a whole number from 1 to 200, got 0');
    await refused({ limit: 201 }, 'got 201');
  });
});

describe('get', () => {
  it('shows the change, the runs and the mails', async () => {
    const id = await finished('failed');
    const execution = `insert into sandbox_execution
      (id, action_id, attempt, script_id, script_version, outcome, value, logs, usage, started_at)
      values ($1, $2, $3, $4, 1, 'ok', '{"a":1}', '[{"level":"info","message":"hi"}]', '{"cpuMs":1}', now())`;
    await sql(execution, [randomUUID(), id, 1, scriptId]);
    await sql(`insert into sandbox_email (id, action_id, message, message_id) values ($1, $2, '{"to":"a@b.c"}', $3)`, [
      randomUUID(),
      id,
      `<${id}@x>`,
    ]);
    expect(await actions.get('acme', id)).toMatchObject({
      id,
      scriptName: 'total',
      change: { entity: 'order', operation: 'create', recordId: '7', ...change },
      executions: [{ attempt: 1, outcome: 'ok', value: { a: 1 }, logs: [{ level: 'info', message: 'hi' }] }],
      emails: [{ message: { to: 'a@b.c' }, messageId: `<${id}@x>`, status: 'pending' }],
    });
  });

  it.each(['nonsense', randomUUID()])('knows no %s', async (id) => {
    await expect(actions.get('acme', id)).rejects.toMatchObject({ code: 'SANDBOX_ACTION_NOT_FOUND' });
    await expect(actions.cancel('acme', id)).rejects.toMatchObject({ code: 'SANDBOX_ACTION_NOT_FOUND' });
  });

  it('finds no action of another tenant', async () => {
    await expect(actions.get('globex', await insert())).rejects.toMatchObject({ code: 'SANDBOX_ACTION_NOT_FOUND' });
  });
});

describe('retry', () => {
  it.each(['failed', 'dead', 'cancelled'])('lets a %s action run again, its attempts kept', async (status) => {
    const id = await finished(status, { queued_at: new Date() });
    const retried = await actions.retry('acme', id);
    expect(retried).toMatchObject({ status: 'pending', attempt: 3, outcome: null, error: null, finishedAt: null });
    expect(instance.dispatched).toMatchObject([
      { id, scriptId, status: 'pending', change: { recordId: '7', ...change } },
    ]);
  });

  it.each(['pending', 'done', 'skipped'])('refuses a %s action', async (status) => {
    const id = status === 'pending' ? await insert() : await finished(status);
    await expect(actions.retry('acme', id)).rejects.toMatchObject({
      code: 'SANDBOX_ACTION_STATE',
      message: expect.stringContaining(`Cannot retry action ${id}: it is ${status}. Only failed, dead and cancelled`),
    });
    expect(instance.dispatched).toEqual([]);
  });

  it('is won by one of many at once', async () => {
    const id = await finished('failed');
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => actions.retry('acme', id)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(instance.dispatched).toHaveLength(1);
  });
});

describe('replay', () => {
  it('makes a new action with the same change, for the version in force', async () => {
    const id = await finished('done', { script_version: 0, depth: 2, origin: 'script' });
    const replayed = await actions.replay('acme', id);
    expect(replayed).toMatchObject({ status: 'pending', attempt: 0, scriptVersion: 1, depth: 2, origin: 'script' });
    expect(replayed.id).not.toBe(id);
    expect(replayed.change).toMatchObject(change);
    expect(await actions.get('acme', id)).toMatchObject({ status: 'done' });
    expect(instance.dispatched).toMatchObject([{ id: replayed.id, scriptVersion: 1 }]);
  });

  it('refuses an unfinished action, and a script that was deleted', async () => {
    await expect(actions.replay('acme', await insert())).rejects.toThrow('Only finished actions can be replayed');
    const gone = await finished('done', { script_id: randomUUID(), script_name: 'gone' });
    await expect(actions.replay('acme', gone)).rejects.toMatchObject({ code: 'SANDBOX_SCRIPT_NOT_FOUND' });
  });
});

describe('cancel', () => {
  it('gives up an unfinished action and takes its job out of the queue', async () => {
    const id = await insert({ queued_at: new Date() });
    const job = { actionId: id, scriptId, scriptVersion: 1, userId: null, depth: 0, createdAt: Date.now() };
    await backend.add('acme', [{ job }]);
    expect([...(await backend.known('acme', [id]))]).toEqual([id]);
    expect(await actions.cancel('acme', id)).toMatchObject({ status: 'cancelled', outcome: 'cancelled' });
    expect((await backend.known('acme', [id])).size).toBe(0);
    expect((await actions.get('acme', id)).finishedAt).toBeInstanceOf(Date);
  });

  it('refuses a finished action', async () => {
    await expect(actions.cancel('acme', await finished('done'))).rejects.toMatchObject({
      code: 'SANDBOX_ACTION_STATE',
    });
  });
});
