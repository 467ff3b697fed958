// A run's effects, its result and its mails are committed together, once; and a script cannot tell whether its writes
// waited for the end of the run or not.
import { setTimeout as sleep } from 'node:timers/promises';
import { BridgeError } from '../../libs/sandbox/src/errors/bridge.errors.js';
import {
  attemptAction,
  type AttemptOutcome,
  type RunnableAction,
} from '../../libs/sandbox/src/processor/consumer/run-attempt.js';
import type { BridgeRun } from '../../libs/sandbox/src/processor/bridge/bridge-run.js';
import type { BridgeServices, HostMethod } from '../../libs/sandbox/src/processor/bridge/bridge-services.js';
import { SandboxEvents } from '../../libs/sandbox/src/events/sandbox-events.js';
import { PoolDryRunner } from '../../libs/sandbox/src/processor/consumer/dry-run.js';
import { createScriptPool } from '../../libs/sandbox/src/processor/pool/create-pool.js';
import type { ScriptPool } from '../../libs/sandbox/src/processor/pool/script-pool.js';
import type { Change } from '../../libs/sandbox/src/protocol/change.js';
import { DEFAULT_LIMITS, type Limits } from '../../libs/sandbox/src/protocol/limits.js';
import { createScriptCompiler } from '../../libs/sandbox/src/scripts/compiler/compiler.js';
import type { ScriptCompiler } from '../../libs/sandbox/src/scripts/compiler/script-compiler.js';
import type { ScriptVersion } from '../../libs/sandbox/src/scripts/script.js';
import {
  Customer,
  type EffectsFixture,
  insertAction,
  openEffectsFixture,
  Order,
  scriptVersion,
  Stock,
  triggerIndex,
} from './effects.fixture.js';

const CHANGE: Change = {
  entity: 'order',
  operation: 'create',
  recordId: '1',
  record: { id: 1, amount: '7.50' },
  prevRecord: {},
  changed: ['id', 'amount'],
};

/** Host services by name, as the explorer would find them. */
class Services {
  readonly methods = new Map<string, HostMethod>();
  add(name: string, call: (args: never, run: BridgeRun) => unknown, pure = false): void {
    this.methods.set(name, { name, pure, call: async (args, run) => await call(args as never, run) });
  }
  names = () => [...this.methods.keys()];
  pureNames = () => [...this.methods.values()].flatMap(({ name, pure }) => (pure ? [name] : []));
  get = (name: string) => this.methods.get(name);
}

describe('effects', () => {
  let fixture: EffectsFixture;
  let pool: ScriptPool;
  let compiler: ScriptCompiler;
  let services: Services;
  let faults: unknown[];
  let ann: Customer;

  beforeAll(async () => {
    fixture = await openEffectsFixture();
    pool = createScriptPool({ threads: 2 });
    compiler = createScriptCompiler();
  });
  afterAll(async () => {
    await Promise.all([pool?.close(), compiler?.close()]);
    await fixture?.close();
  });
  beforeEach(async () => {
    await fixture.reset();
    services = new Services();
    faults = [];
    ann = await manager().save(Customer, { name: 'Ann', email: 'ann@x.org', address: {} });
  });

  const manager = () => fixture.lease.dataSource.manager;
  const rows = async (text: string) => (await fixture.lease.sql.query({ text })).rows;
  const total = async () => (await manager().findOneByOrFail(Customer, { id: ann.id })).orderTotal;

  interface Options {
    readonly others?: readonly ScriptVersion[];
    readonly limits?: Partial<Limits>;
    readonly actionId?: string;
    readonly depth?: number;
    readonly retries?: number;
  }

  async function prepare(source: string, options: Options = {}): Promise<RunnableAction> {
    const text = source.replaceAll('$ANN', JSON.stringify(ann.id));
    const script = await scriptVersion(compiler, text, {
      scriptId: options.actionId ? await scriptOf(options.actionId) : crypto.randomUUID(),
    });
    const actionId = options.actionId ?? (await insertAction(fixture.lease, script, CHANGE, options.depth));
    return {
      lease: fixture.lease,
      index: triggerIndex(fixture.tenantId, [script, ...(options.others ?? [])]),
      script,
      change: CHANGE,
      actionId,
      userId: 'u1',
      depth: options.depth ?? 0,
      about: { id: actionId },
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      inLine: false,
      rules: { attemptsMade: 0, retries: options.retries ?? 0, attempts: 10 },
      signal: new AbortController().signal,
    };
  }

  const scriptOf = async (id: string) =>
    (await rows(`select script_id from sandbox_action where id = '${id}'`))[0]?.['script_id'] as string;

  const attempt = (action: RunnableAction, deferred: boolean) =>
    attemptAction(
      {
        pool,
        services: services as unknown as BridgeServices,
        onHostFault: (_tenant, _method, error) => void faults.push(error),
      },
      action,
      deferred,
    );

  /** As the consumer does it: deferred first, interactively where a waiting write was refused. */
  async function run(source: string, deferred = true, options: Options = {}): Promise<AttemptOutcome> {
    const action = await prepare(source, options);
    const first = await attempt(action, deferred);
    return first.kind === 'restart' ? await attempt(action, false) : first;
  }

  async function value(source: string, deferred = true, options: Options = {}): Promise<unknown> {
    const outcome = await run(source, deferred, options);
    if (outcome.kind !== 'finished')
      throw new Error(`${outcome.kind}: ${String((outcome as { error?: unknown }).error)}`);
    if (outcome.result.outcome !== 'ok') throw new Error(JSON.stringify(outcome.result.error));
    return outcome.result.value;
  }

  describe.each([
    ['waiting', true],
    ['applied at once', false],
  ])('writes %s', (_how, deferred) => {
    it('are committed with the execution, the state of the action and the mail', async () => {
      const outcome = await run(
        `context.execute([{ op: 'update', entity: 'customer', id: $ANN, increment: { orderTotal: context.record.amount } }]);
         context.sendEmail({ to: 'boss@x.org', subject: 'hi', text: 'there' });
         log('did it');
         setResult({ ok: 1 });`,
        deferred,
      );
      expect(outcome).toMatchObject({
        kind: 'finished',
        result: { outcome: 'ok' },
        committed: { actions: [], emails: 1 },
      });
      expect(await total()).toBe('7.50');
      const [action] = await rows('select * from sandbox_action');
      expect(action).toMatchObject({ status: 'done', outcome: 'ok', attempt: 1, error: null });
      expect(action?.['finished_at']).toBeInstanceOf(Date);
      expect(await rows('select * from sandbox_execution')).toMatchObject([
        {
          action_id: action?.['id'],
          attempt: 1,
          outcome: 'ok',
          value: { ok: 1 },
          logs: [{ level: 'info', message: 'did it' }],
        },
      ]);
      expect(await rows('select message, message_id, status from sandbox_email')).toEqual([
        {
          message: { to: ['boss@x.org'], subject: 'hi', text: 'there' },
          message_id: `<${String(action?.['id'])}.0@${fixture.tenantId}.nestjs-sandbox>`,
          status: 'pending',
        },
      ]);
    });

    it('give back what they did when they are looked at', async () => {
      expect(
        await value(
          `const [made, grown] = context.execute([
             { op: 'create', entity: 'order', values: { amount: '3.10', customerId: $ANN, status: 'paid', placedOn: '2026-05-01' } },
             { op: 'update', entity: 'customer', id: $ANN, values: { tags: ['x'], meta: { a: [1] }, address: { city: 'Bern' } } },
           ]);
           const [gone] = context.execute([{ op: 'delete', entity: 'customer', id: $ANN }]);
           const [again] = context.execute([{ op: 'delete', entity: 'customer', id: $ANN }]);
           ({ made, version: grown.record.version, city: grown.record.address.city, tags: grown.record.tags, gone, again })`,
          deferred,
        ),
      ).toEqual({
        made: {
          op: 'create',
          entity: 'order',
          id: 1,
          affected: 1,
          record: expect.objectContaining({
            id: 1,
            amount: '3.10',
            status: 'paid',
            placedOn: '2026-05-01',
            quantity: 1,
          }) as unknown,
        },
        version: 2,
        city: 'Bern',
        tags: ['x'],
        gone: { op: 'delete', entity: 'customer', id: ann.id, affected: 1, record: null },
        again: { op: 'delete', entity: 'customer', id: ann.id, affected: 0, record: null },
      });
      const [customer] = await manager().find(Customer, { withDeleted: true });
      expect(customer).toMatchObject({ version: 3, tags: ['x'] });
      expect(customer?.deletedAt).toBeInstanceOf(Date);
    });

    it('are seen by queries of the same run', async () => {
      expect(
        await value(
          `context.execute([{ op: 'create', entity: 'order', values: { amount: 1 } }, { op: 'create', entity: 'order', values: { amount: 2 } }]);
           const [{ count }] = context.query({ entity: 'order', aggregate: { count: true } });
           context.execute([{ op: 'create', entity: 'order', values: { amount: 3 } }]);
           count`,
          deferred,
        ),
      ).toBe(2);
      expect(await manager().count(Order)).toBe(3);
    });

    it('that are refused reach the script at their line, as a whole call', async () => {
      await manager().save(Customer, { name: 'Bob', email: 'bob@x.org', address: {} });
      const seen = await value(
        `const caught = [];
         const attempt = (requests) => { try { context.execute(requests); } catch (error) { caught.push([error.name, error.code, error.message]); } };
         attempt([
           { op: 'create', entity: 'order', values: { amount: 1 } },
           { op: 'update', entity: 'customer', id: $ANN, values: { email: 'bob@x.org' } },
         ]);
         attempt([{ op: 'update', entity: 'customer', id: '00000000-0000-4000-8000-000000000000', values: { name: 'x' } }]);
         attempt([{ op: 'update', entity: 'customer', id: $ANN, values: { name: 'Ann B.' }, expectedVersion: 9 }]);
         attempt([{ op: 'create', entity: 'order', values: { customerId: '00000000-0000-4000-8000-000000000000' } }]);
         attempt([{ op: 'create', entity: 'customer', values: { email: 'c@x.org' } }]);
         attempt([{ op: 'update', entity: 'customer', id: $ANN, values: { orderTotal: '99999999999' } }]);
         attempt([{ op: 'update', entity: 'customr', id: $ANN, values: { name: 'x' } }]);
         attempt([{ op: 'update', entity: 'order', id: 1, values: { internalNote: 'x' } }]);
         attempt([{ op: 'update', entity: 'customer', id: $ANN, values: { version: 7 } }]);
         attempt([{ op: 'update', entity: 'order', id: 1, values: { amount: 'a lot' } }]);
         context.execute([{ op: 'update', entity: 'customer', id: $ANN, values: { country: 'CH' } }]);
         caught`,
        deferred,
      );
      expect((seen as string[][]).map(([, code]) => code)).toEqual([
        'SANDBOX_UNIQUE_VIOLATION',
        'SANDBOX_RECORD_NOT_FOUND',
        'SANDBOX_VERSION_CONFLICT',
        'SANDBOX_FOREIGN_KEY_VIOLATION',
        'SANDBOX_NOT_NULL_VIOLATION',
        'SANDBOX_OUT_OF_RANGE',
        'SANDBOX_UNKNOWN_ENTITY',
        'SANDBOX_UNKNOWN_FIELD',
        'SANDBOX_UNKNOWN_FIELD',
        'SANDBOX_INVALID_VALUE',
      ]);
      const messages = (seen as string[][]).map(([, , message]) => message);
      expect(messages[0]).toBe('There is a record with the same customer.email already; it has to be unique.');
      expect(messages[3]).toMatch(/^order.customerId names a record that does not exist/);
      expect(messages[4]).toMatch(/^customer.name has no value/);
      expect(messages.join()).not.toMatch(/e_mail|constraint|duplicate key|relation "/);
      expect(await manager().count(Order)).toBe(0);
      expect(await manager().findOneByOrFail(Customer, { id: ann.id })).toMatchObject({ name: 'Ann', country: 'CH' });
    });

    it('of a script that fails leave nothing but the record of the failure', async () => {
      const outcome = await run(
        `context.execute([{ op: 'update', entity: 'customer', id: $ANN, increment: { orderTotal: 1 } }]);
         context.sendEmail({ to: 'a@x.org', subject: 's', text: 't' });
         throw new TypeError('no');`,
        deferred,
      );
      expect(outcome).toMatchObject({
        kind: 'finished',
        result: { outcome: 'exception', error: { name: 'TypeError' } },
      });
      expect(await total()).toBe('0.00');
      expect(await rows('select * from sandbox_email')).toEqual([]);
      expect(await rows('select status, outcome, error from sandbox_action')).toMatchObject([
        { status: 'failed', outcome: 'exception', error: { name: 'TypeError', message: 'no', line: 3 } },
      ]);
      expect(await rows('select outcome from sandbox_execution')).toEqual([{ outcome: 'exception' }]);
    });

    it('fire the scripts that listen, one deeper, in the same transaction', async () => {
      const listener = await scriptVersion(compiler, '1', { entity: 'customer', on: ['update'], name: 'listener' });
      const source = `context.execute([
        { op: 'update', entity: 'customer', id: $ANN, increment: { orderTotal: 2 } },
        { op: 'create', entity: 'order', values: { amount: 1 } },
      ]);`;
      const outcome = await run(source, deferred, { others: [listener], depth: 3 });
      expect(outcome).toMatchObject({
        kind: 'finished',
        committed: { actions: [{ depth: 4 }, { scriptName: 'under-test' }] },
      });
      const [cause, chained] = await rows('select * from sandbox_action order by seq');
      expect(chained).toMatchObject({
        script_name: 'listener',
        origin: 'script',
        depth: 4,
        parent_id: cause?.['id'],
        user_id: 'u1',
        entity: 'customer',
        operation: 'update',
        record_id: ann.id,
        status: 'pending',
        change: {
          record: { id: ann.id, orderTotal: '2.00', version: 2 },
          prevRecord: { orderTotal: '0.00', version: 1 },
          changed: expect.arrayContaining(['orderTotal', 'version']) as unknown,
        },
      });
      expect((chained!['change'] as { record: object }).record).not.toHaveProperty('secret');
    });

    it('too deep in a chain make actions that say so', async () => {
      const listener = await scriptVersion(compiler, '1', { entity: 'customer', on: ['update'], name: 'listener' });
      const source = `context.execute([{ op: 'update', entity: 'customer', id: $ANN, increment: { orderTotal: 2 } }]);`;
      await run(source, deferred, { others: [listener], depth: 7 });
      expect(await rows(`select status, outcome, error->>'code' as code from sandbox_action where depth = 8`)).toEqual([
        { status: 'skipped', outcome: 'chainTooDeep', code: 'SANDBOX_CHAIN_TOO_DEEP' },
      ]);
      expect(await total()).toBe('2.00');
    });

    it('and mails stand beside those of a host service, which fail with the script or not at all', async () => {
      services.add('crm.note', async ({ text }: { text: string }, { manager: em, tenantId, userId, depth }) => {
        await em.insert(Stock, { place: text, shelf: depth });
        return { tenantId, userId, at: new Date(0), big: 10n, bytes: Buffer.from('hi') };
      });
      services.add('crm.fail', async (_: unknown, { manager: em }) => {
        await em.insert(Stock, { place: 'undone', shelf: 1 });
        throw new Error('password=hunter2 at /srv/app');
      });
      services.add('crm.refuse', () => {
        throw new BridgeError('OUT_OF_STOCK', 'Only 3 left');
      });
      const seen = await value(
        `context.execute([{ op: 'create', entity: 'order', values: { amount: 4 } }]);
         const noted = context.crm.note({ text: 'here' });
         const caught = [];
         for (const method of ['fail', 'refuse']) try { context.crm[method]() } catch (error) { caught.push([error.name, error.code, error.message]); }
         ({ noted, caught, orders: context.query({ entity: 'order', aggregate: { count: true } })[0].count })`,
        deferred,
      );
      expect(seen).toEqual({
        noted: { tenantId: fixture.tenantId, userId: 'u1', at: '1970-01-01T00:00:00.000Z', big: '10', bytes: 'aGk=' },
        caught: [
          ['HostFaultError', 'SANDBOX_HOST_ERROR', expect.not.stringMatching(/hunter2|srv/)],
          ['BridgeError', 'OUT_OF_STOCK', 'Only 3 left'],
        ],
        orders: 1,
      });
      expect(faults).toHaveLength(1);
      expect(await manager().find(Stock)).toEqual([{ place: 'here', shelf: 0, count: 0 }]);
      expect(await rows('select status, attempt, lease_until from sandbox_action where depth = 0')).toEqual([
        { status: 'done', attempt: 1, lease_until: null },
      ]);
    });

    it('end the run where they go past a limit, with nothing written', async () => {
      const outcome = await run(
        `try { for (let i = 0; i < 3; i++) context.execute([{ op: 'create', entity: 'order', values: {} }, { op: 'create', entity: 'order', values: {} }]); }
         catch (error) { log('caught'); }
         'went on'`,
        deferred,
        { limits: { rowsWritten: 5 } },
      );
      expect(outcome).toMatchObject({ kind: 'finished', result: { outcome: 'exceededCalls' } });
      expect(await manager().count(Order)).toBe(0);
      expect(await rows('select status from sandbox_action')).toEqual([{ status: 'failed' }]);
    });

    it('with a mail that is not one are refused at the line of the mail', async () => {
      const seen = await value(
        `const caught = [];
         for (const mail of [
           { to: [], subject: 's', text: 't' },
           { to: 'nobody', text: 't' },
           { to: 'a@x.org', subject: 'hi\\r\\nBcc: all@x.org', text: 't' },
           { to: 'a@x.org\\r\\nBcc: b@x.org', text: 't' },
           { to: 'a@x.org', template: '../../etc/passwd' },
           { to: 'a@x.org', tex: 't' },
         ]) try { context.sendEmail(mail); } catch (error) { caught.push(error.code); }
         context.sendEmail('a@x.org, Bo <b@x.org>', null, ['c@x.org'], 'sub', 'body');
         caught`,
        deferred,
      );
      expect(seen).toEqual(Array.from({ length: 6 }, () => 'SANDBOX_INVALID_EMAIL'));
      expect(await rows('select message from sandbox_email')).toEqual([
        { message: { to: ['a@x.org', 'Bo <b@x.org>'], bcc: ['c@x.org'], subject: 'sub', text: 'body' } },
      ]);
    });
  });

  it('wait in the thread, and cross in one go, while nobody looks at them', async () => {
    const before = await rows(`select count(*)::int as n from pg_stat_activity where datname = current_database()`);
    const action = await prepare(`context.execute([{ op: 'create', entity: 'order', values: { amount: 4 } }]);`);
    const held = await fixture.lease.sql.connect();
    try {
      await held.query({ text: 'begin' });
      await held.query({ text: 'lock table "order" in share mode' });
      const running = attempt(action, true);
      // the run is over, and its commit waits: no connection was held while the script ran
      await sleep(300);
      const [waiting] = (
        await held.query({
          text: `select count(*)::int as n from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
        })
      ).rows;
      expect(waiting).toEqual({ n: 1 });
      await held.query({ text: 'rollback' });
      expect(await running).toMatchObject({ kind: 'finished' });
    } finally {
      held.release();
    }
    expect(before).toHaveLength(1);
    expect(await manager().count(Order)).toBe(1);
  });

  it('of a finished action are not repeated by a redelivery', async () => {
    const source = `context.execute([{ op: 'update', entity: 'customer', id: $ANN, increment: { orderTotal: 5 } }]); context.sendEmail({ to: 'a@x.org', text: 't' });`;
    const action = await prepare(source);
    expect(await attempt(action, true)).toMatchObject({ kind: 'finished' });
    for (const deferred of [true, false]) expect(await attempt(action, deferred)).toEqual({ kind: 'superseded' });
    expect(await total()).toBe('5.00');
    expect(await rows('select 1 from sandbox_email')).toHaveLength(1);
    expect(await rows('select 1 from sandbox_execution')).toHaveLength(1);
  });

  it('are committed by one of the processors that run an action at the same time', async () => {
    const source = `context.query({ entity: 'customer' });
      context.execute([{ op: 'update', entity: 'customer', id: $ANN, increment: { orderTotal: 5 } }]);`;
    for (const modes of [
      [true, true],
      [true, false],
      [false, false],
    ]) {
      await fixture.lease.sql.query({ text: 'update customer set order_total = 0' });
      const action = await prepare(source);
      const kinds = (await Promise.all(modes.map((deferred) => attempt(action, deferred)))).map(({ kind }) => kind);
      expect(kinds.sort()).toEqual(['finished', 'superseded']);
      expect(await total()).toBe('5.00');
    }
  });

  it('outside the database happen under a lease that nobody else gets', async () => {
    let calls = 0;
    services.add('world.act', async () => {
      calls++;
      await sleep(200);
    });
    const action = await prepare(
      `context.world.act(); context.execute([{ op: 'create', entity: 'order', values: {} }]);`,
    );
    const first = attempt(action, true);
    await sleep(100);
    expect(await rows('select status, attempt from sandbox_action')).toEqual([{ status: 'running', attempt: 1 }]);
    expect(await attempt(action, true)).toEqual({ kind: 'superseded' });
    expect(await first).toMatchObject({ kind: 'finished' });
    expect(calls).toBe(1);
    expect(await manager().count(Order)).toBe(1);
    expect(await rows('select status, attempt, lease_until from sandbox_action where depth = 0')).toEqual([
      { status: 'done', attempt: 1, lease_until: null },
    ]);
  });

  it('are not committed once the lease was lost', async () => {
    services.add('world.act', async () => {
      // as if this process had hung until its lease ran out, and another one had begun
      await fixture.lease.sql.query({ text: 'update sandbox_action set attempt = attempt + 1' });
    });
    const outcome = await run(`context.world.act(); context.execute([{ op: 'create', entity: 'order', values: {} }]);`);
    expect(outcome).toEqual({ kind: 'superseded' });
    expect(await manager().count(Order)).toBe(0);
  });

  it('are undone and repeated as a whole when two runs lock each other out', async () => {
    await manager().save(Stock, [
      { place: 'a', shelf: 1 },
      { place: 'b', shelf: 1 },
    ]);
    services.add('meet.other', () => sleep(150), true);
    const script = (first: string, second: string) => `
      const up = (place) => context.execute([{ op: 'update', entity: 'stock', id: { place, shelf: 1 }, increment: { count: 1 } }])[0].affected;
      up('${first}'); context.meet.other(); up('${second}');`;
    const actions = [await prepare(script('a', 'b')), await prepare(script('b', 'a'))];
    const outcomes = await Promise.all(actions.map((action) => attempt(action, true)));
    expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['conflict', 'finished']);
    const loser = actions[outcomes.findIndex(({ kind }) => kind === 'conflict')] as RunnableAction;
    expect(await attempt(loser, true)).toMatchObject({ kind: 'finished' });
    expect((await manager().find(Stock)).map(({ count }) => count)).toEqual([2, 2]);
  });

  it('of a run that holds its transaction open too long are undone', async () => {
    services.add('meet.other', () => sleep(400), true);
    const outcome = await run(
      `context.execute([{ op: 'update', entity: 'customer', id: $ANN, increment: { orderTotal: 5 } }])[0].affected;
       context.meet.other();
       try { context.query({ entity: 'customer' }); } catch (error) { log(error.message); }`,
      true,
      { limits: { transactionMs: 200 } },
    );
    expect(outcome).toMatchObject({
      kind: 'finished',
      result: { outcome: 'exceededWall', error: { code: 'SANDBOX_TRANSACTION_TIMEOUT' } },
    });
    expect(await total()).toBe('0.00');
    expect(await rows('select status from sandbox_action')).toEqual([{ status: 'failed' }]);
  });

  it('of a run that the database keeps waiting all that time are undone, and it is no failure of the script', async () => {
    const held = await fixture.lease.sql.connect();
    try {
      await held.query({ text: 'begin' });
      await held.query({ text: 'update customer set vip = true' });
      const outcome = await run(
        `const write = { op: 'update', entity: 'customer', id: $ANN, values: { name: 'x' } };
         for (let tries = 0; tries < 5; tries++) try { context.execute([write])[0].affected } catch {}`,
        true,
        { limits: { transactionMs: 400 } },
      );
      expect(outcome).toMatchObject({ kind: 'fault', error: { code: 'SANDBOX_DATABASE_STALLED' } });
      expect(await rows('select status from sandbox_action')).toEqual([{ status: 'pending' }]);
    } finally {
      await held.query({ text: 'rollback' });
      held.release();
    }
  });

  it.each([true, false])(
    'wait for a lock no longer than the transaction may, and the script is told (waiting: %p)',
    async (deferred) => {
      const held = await fixture.lease.sql.connect();
      try {
        await held.query({ text: 'begin' });
        await held.query({ text: 'update customer set vip = true' });
        const seen = await value(
          `try { context.execute([{ op: 'update', entity: 'customer', id: $ANN, values: { name: 'x' } }]); } catch (error) { error.code }`,
          deferred,
          { limits: { transactionMs: 400 } },
        );
        expect(seen).toBe('SANDBOX_LOCK_TIMEOUT');
      } finally {
        await held.query({ text: 'rollback' });
        held.release();
      }
    },
  );

  it('and a bridge call that hangs are given up after bridgeCallMs', async () => {
    let aborted: unknown;
    services.add(
      'slow.read',
      (_: unknown, { signal }) =>
        new Promise((resolve) => signal.addEventListener('abort', () => resolve((aborted = signal.reason)))),
      true,
    );
    const source = `try { context.slow.read(); } catch (error) { error.code }`;
    expect(await value(source, true, { limits: { bridgeCallMs: 100 } })).toBe('SANDBOX_BRIDGE_TIMEOUT');
    expect(aborted).toMatchObject({ code: 'SANDBOX_BRIDGE_TIMEOUT' });
  });

  it('of rows read end the run past the limit', async () => {
    await manager().insert(
      Order,
      Array.from({ length: 5 }, () => ({})),
    );
    const outcome = await run(
      `context.query({ entity: 'order', limit: 3 }).length; context.query({ entity: 'order' }).length`,
      true,
      {
        limits: { rowsRead: 6 },
      },
    );
    expect(outcome).toMatchObject({ kind: 'finished', result: { outcome: 'exceededCalls' } });
  });

  it('of a script that asks for it are tried again, and every attempt is kept', async () => {
    const outcome = await run(
      `context.execute([{ op: 'create', entity: 'order', values: {} }]); throw new RetryLater('not yet', { afterMs: 1234 });`,
    );
    expect(outcome).toMatchObject({ kind: 'again', afterMs: 1234 });
    expect(await rows('select status, attempt, finished_at from sandbox_action')).toEqual([
      { status: 'pending', attempt: 1, finished_at: null },
    ]);
    expect(await rows('select attempt, outcome from sandbox_execution')).toEqual([
      { attempt: 1, outcome: 'exception' },
    ]);
    expect(await manager().count(Order)).toBe(0);
  });

  it('of a dry run are told, and undone', async () => {
    const acted: unknown[] = [];
    services.add('world.act', () => void acted.push(1));
    services.add(
      'world.look',
      async (_: unknown, { actionId, manager: em }) => [actionId, await em.count(Order)],
      true,
    );
    const source = `
      const [{ id }] = context.execute([{ op: 'create', entity: 'order', values: { amount: 2 } }]);
      context.execute([{ op: 'update', entity: 'customer', id: ${JSON.stringify(ann.id)}, increment: { orderTotal: 2 } }]);
      context.execute([{ op: 'delete', entity: 'order', id }]);
      context.sendEmail({ to: 'a@x.org', subject: 's', text: 't' });
      let code; try { context.world.act(); } catch (error) { code = error.code; }
      log('tried');
      setResult([code, context.world.look(), context.query({ entity: 'order' }).length]);`;
    const script = await scriptVersion(compiler, source);
    const runner = new PoolDryRunner(pool, services as unknown as BridgeServices, new SandboxEvents());
    const report = await runner.dryRun({
      lease: fixture.lease,
      scriptId: null,
      scriptName: 'draft',
      source,
      compiled: script.compiled,
      limits: DEFAULT_LIMITS,
      change: CHANGE,
      userId: 'u1',
    });
    expect(report).toMatchObject({
      outcome: 'ok',
      value: ['SANDBOX_NOT_IN_DRY_RUN', [null, 0], 0],
      logs: [{ level: 'info', message: 'tried' }],
      changes: [
        { entity: 'order', operation: 'create', recordId: '1', before: null, after: { amount: '2.00' } },
        {
          entity: 'customer',
          operation: 'update',
          recordId: ann.id,
          before: { orderTotal: '0.00' },
          after: { orderTotal: '2.00' },
        },
        { entity: 'order', operation: 'delete', recordId: '1', before: { amount: '2.00' }, after: null },
      ],
      emails: [{ to: ['a@x.org'], subject: 's', text: 't' }],
    });
    expect(acted).toEqual([]);
    expect(await total()).toBe('0.00');
    for (const table of ['"order"', 'sandbox_action', 'sandbox_execution', 'sandbox_email'])
      expect(await rows(`select 1 from ${table}`)).toEqual([]);
  });

  it('with values that jsonb does not take are kept all the same', async () => {
    expect(await value(`({ nul: 'a\\u0000b', lone: '\\ud800', pair: '😀', escaped: '\\\\u0000' })`)).toBeDefined();
    expect(await rows('select value from sandbox_execution')).toEqual([
      { value: { nul: 'a\ufffdb', lone: '\ufffd', pair: '😀', escaped: '\\u0000' } },
    ]);
  });

  it('are a fault to be tried again when the database goes away', async () => {
    services.add('db.kill', async () => {
      await fixture.lease.sql.query({
        text: `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and state = 'idle in transaction'`,
      });
    });
    const source = `context.execute([{ op: 'create', entity: 'order', values: {} }])[0].id;
      try { context.db.kill(); context.query({ entity: 'order' }); } catch (error) { log('caught'); } 1`;
    const action = await prepare(source);
    expect(await attempt(action, true)).toMatchObject({ kind: 'fault' });
    services.add('db.kill', () => undefined);
    expect(await attempt(action, true)).toMatchObject({ kind: 'finished', result: { outcome: 'ok' } });
    expect(await manager().count(Order)).toBe(1);
  });
});
