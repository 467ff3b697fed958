// What becomes of a delivery: whatever the queue does with a job, its action is done once, and every end that an action
// can come to is told to the queue and kept in the row.
import { Injectable } from '@nestjs/common';
import { BridgeMethod, type BridgeRun, BridgeService, TenantDataSources } from 'nestjs-sandbox';
import { SandboxEvents, type SandboxEventMap } from '../../libs/sandbox/src/events/sandbox-events.js';
import { Consumer } from '../../libs/sandbox/src/processor/consumer/consumer.js';
import { MailSender } from '../../libs/sandbox/src/processor/mail/mail-sender.js';
import { QUEUE_BACKEND, type QueueBackend } from '../../libs/sandbox/src/queue/queue-backend.js';
import type { Delivery } from '../../libs/sandbox/src/processor/turns/turns.js';
import { until } from '../support/processes.mjs';
import { startStack, type Stack } from './stack.js';

@Injectable()
@BridgeService('world')
class World {
  static mood: 'fine' | 'hanging' = 'fine';
  calls = 0;

  @BridgeMethod()
  async act(_: unknown, { signal }: BridgeRun): Promise<number> {
    this.calls++;
    if (World.mood === 'hanging')
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    return this.calls;
  }
}

const ADD = `context.execute([{ op: 'update', entity: 'customer', id: context.record.customerId, increment: { orderTotal: context.record.amount } }]);`;

describe('deliveries', () => {
  let stack: Stack;
  let consumer: Consumer;
  let seen: (keyof SandboxEventMap)[];

  beforeAll(async () => {
    stack = await startStack({
      providers: [World],
      module: { processing: { enabled: false, threads: 2, attempts: 3, backoffMs: 100 } },
    });
    consumer = stack.app.get(Consumer, { strict: false });
    const events = stack.app.get(SandboxEvents, { strict: false });
    for (const name of [
      'action.started',
      'action.finished',
      'action.superseded',
      'action.retried',
      'action.dead',
      'action.skipped',
    ] as const)
      events.on(name, () => void seen.push(name));
  }, 60_000);
  afterAll(() => stack?.close());
  beforeEach(async () => {
    seen = [];
    World.mood = 'fine';
    // what a test left undone would come before all that follows
    await sql(`update sandbox_action set status = 'cancelled', finished_at = now() where finished_at is null`);
  });

  const sql = (text: string) =>
    stack.app
      .get(TenantDataSources)
      .run(stack.acme, {}, (source) => source.query(text) as Promise<Record<string, unknown>[]>);
  const total = async (id: string) => Number((await stack.customer(stack.acme, id)).orderTotal);

  /** An order whose action waits, and the means to deliver its job. */
  async function pending(source: string, more: object = {}) {
    const name = `s${Math.random().toString(36).slice(2, 10)}`;
    await stack.deploy(stack.acme, source, { ...more, name });
    const customer = await stack.createCustomer(stack.acme, name);
    await stack.createOrder(stack.acme, customer, '2.50');
    const [row] = await sql(`select * from sandbox_action where script_name = '${name}'`);
    // the scripts of the tests before listen as well
    await sql(`update sandbox_action set status = 'cancelled', finished_at = now()
      where record_id = '${row!['record_id'] as string}' and script_name <> '${name}'`);
    const change = { entity: 'order', operation: 'create', recordId: row!['record_id'], ...(row!['change'] as object) };
    const controller = new AbortController();
    const ends: string[] = [];
    const deliver = (over: Partial<Delivery> = {}, withChange = true): Delivery => {
      const end = (what: string) => () => Promise.resolve(ends.push(what) > 0);
      return {
        tenantId: stack.acme,
        job: {
          actionId: row!['id'] as string,
          scriptId: row!['script_id'] as string,
          scriptVersion: 1,
          userId: 'ann',
          depth: 0,
          createdAt: Date.now(),
          ...(withChange ? { change: change as never } : {}),
        },
        attemptsMade: 0,
        claimedAt: Date.now(),
        signal: controller.signal,
        complete: end('complete'),
        retry: (delayMs) => Promise.resolve(ends.push(`retry ${delayMs >= 50 ? 'later' : 'now'}`) > 0),
        release: end('release'),
        dead: end('dead'),
        ...over,
      };
    };
    const action = async () =>
      (await sql(`select status, outcome, attempt, error from sandbox_action where id = '${row!['id'] as string}'`))[0];
    return { name, customer, deliver, ends, controller, action, id: row!['id'] as string };
  }

  it('are run once, completed once, and say what happened', async () => {
    const { customer, deliver, ends, action } = await pending(ADD);
    await consumer.handle(deliver());
    expect(ends).toEqual(['complete']);
    expect(seen).toEqual(['action.started', 'action.finished']);
    expect(await total(customer.id)).toBe(2.5);
    expect(await action()).toMatchObject({ status: 'done', outcome: 'ok', attempt: 1 });
  });

  it('that come twice, to two processors at once, have one effect', async () => {
    const { customer, deliver, ends } = await pending(ADD);
    await Promise.all([consumer.handle(deliver()), consumer.handle(deliver())]);
    await consumer.handle(deliver());
    expect(ends).toEqual(['complete', 'complete', 'complete']);
    expect(seen.filter((name) => name === 'action.finished')).toHaveLength(1);
    expect(await total(customer.id)).toBe(2.5);
  });

  it('whose end the queue never heard of come again without effect', async () => {
    const { customer, deliver, ends } = await pending(ADD);
    const lost = () => Promise.reject(new Error('the queue is gone'));
    await expect(consumer.handle(deliver({ complete: lost }))).rejects.toThrow('the queue is gone');
    await consumer.handle(deliver());
    expect(ends).toEqual(['complete']);
    expect(await total(customer.id)).toBe(2.5);
  });

  it('without a change read it from the action', async () => {
    const { customer, deliver } = await pending(ADD);
    await consumer.handle(deliver({}, false));
    expect(await total(customer.id)).toBe(2.5);
  });

  it('of an action that is no more are completed', async () => {
    const { deliver, ends, id } = await pending(ADD);
    await sql(`delete from sandbox_action where id = '${id}'`);
    await consumer.handle(deliver({}, false));
    await consumer.handle(deliver());
    expect(ends).toEqual(['complete', 'complete']);
  });

  it('of a script that was disabled since run: they were asked for before', async () => {
    const disabled = await pending(ADD);
    await stack.scripts.disable(stack.acme, disabled.name);
    await consumer.handle(disabled.deliver());
    expect(await disabled.action()).toMatchObject({ status: 'done', outcome: 'ok' });
    expect(await total(disabled.customer.id)).toBe(2.5);
  });

  it('of a script that was deleted since are skipped', async () => {
    const deleted = await pending(ADD);
    await stack.scripts.remove(stack.acme, deleted.name);
    await consumer.handle(deleted.deliver());
    expect(deleted.ends).toEqual(['complete']);
    expect(seen).toEqual(['action.skipped']);
    expect(await deleted.action()).toMatchObject({ status: 'skipped', outcome: 'scriptDeleted' });
    expect(await total(deleted.customer.id)).toBe(0);
  });

  it('run the version in force now, not the one that was when they were queued', async () => {
    const { name, deliver, id } = await pending(`'old'`);
    await stack.deploy(stack.acme, `'new'`, { name });
    await consumer.handle(deliver());
    expect(await sql(`select value, script_version from sandbox_execution where action_id = '${id}'`)).toEqual([
      { value: 'new', script_version: 2 },
    ]);
  });

  it('of a script that fails are completed; the failure is kept, not repeated', async () => {
    const { deliver, ends, action } = await pending(`${ADD} throw new Error('no')`);
    await consumer.handle(deliver());
    expect(ends).toEqual(['complete']);
    expect(await action()).toMatchObject({ status: 'failed', outcome: 'exception' });
  });

  it('of a script with retries are repeated that often, then the failure stands', async () => {
    const { deliver, ends, action, id } = await pending(`throw new Error('no')`, { retries: 1 });
    await consumer.handle(deliver());
    expect(await action()).toMatchObject({ status: 'pending', attempt: 1 });
    await consumer.handle(deliver({ attemptsMade: 1 }));
    expect(ends).toEqual(['retry later', 'complete']);
    expect(await action()).toMatchObject({ status: 'failed', attempt: 2 });
    expect(await sql(`select attempt from sandbox_execution where action_id = '${id}' order by attempt`)).toEqual([
      { attempt: 1 },
      { attempt: 2 },
    ]);
  });

  it('that a fault of the infrastructure stopped are repeated, and buried when the attempts are used up', async () => {
    const { customer, deliver, ends, action } = await pending(ADD);
    try {
      await sql('alter table sandbox_execution rename to sandbox_execution_away');
      await consumer.handle(deliver());
      expect(ends).toEqual(['retry later']);
      expect(seen).toEqual(['action.started', 'action.retried']);
      // the last attempt cannot even be buried: the job is kept
      await consumer.handle(deliver({ attemptsMade: 2 }));
      expect(ends).toEqual(['retry later', 'retry later']);
    } finally {
      await sql('alter table if exists sandbox_execution_away rename to sandbox_execution');
    }
    expect(await total(customer.id)).toBe(0);
    await consumer.handle(deliver({ attemptsMade: 1 }));
    expect(await action()).toMatchObject({ status: 'done' });
    expect(await total(customer.id)).toBe(2.5);
  });

  it('that are aborted by a shutdown are handed back, with nothing kept', async () => {
    World.mood = 'hanging';
    const { customer, deliver, ends, controller, action } = await pending(`${ADD} context.world.act()`);
    const handling = consumer.handle(deliver());
    await until(async () => (await action())?.['status'] === 'running', { what: 'the claim' });
    controller.abort();
    await handling;
    expect(ends).toEqual(['release']);
    expect(await action()).toMatchObject({ status: 'pending' });
    expect(await total(customer.id)).toBe(0);
    World.mood = 'fine';
    await consumer.handle(deliver({ signal: new AbortController().signal }));
    expect(await total(customer.id)).toBe(2.5);
  });

  it('that come before their time leave nothing behind, and come again behind what was committed before them', async () => {
    const queue = stack.app.get<QueueBackend>(QUEUE_BACKEND, { strict: false });
    const waiting = async () =>
      (await queue.queue(stack.acme).getJobs(['wait'])).map(({ id }) => id as string).toReversed();
    for (const source of [ADD, `${ADD} context.world.act()`, `throw new Error('no')`]) {
      await queue.queue(stack.acme).obliterate({ force: true });
      const first = await pending(ADD);
      const second = await pending(source);
      const calls = stack.app.get(World).calls;
      await consumer.handle(second.deliver());
      expect(second.ends).toEqual(['complete']);
      expect(await second.action()).toMatchObject({ status: 'pending', attempt: 0 });
      expect([await total(second.customer.id), stack.app.get(World).calls - calls]).toEqual([0, 0]);
      const line = await waiting();
      expect(line.indexOf(first.id)).toBeGreaterThanOrEqual(0);
      expect(line.indexOf(second.id)).toBeGreaterThan(line.indexOf(first.id));
      await consumer.handle(first.deliver());
      await consumer.handle(second.deliver());
      expect((await second.action())?.['status']).toBe(source.startsWith('throw') ? 'failed' : 'done');
      await sql(`update sandbox_action set finished_at = now() where finished_at is null`);
    }
  });

  it('of an action that another processor has a lease on come back later', async () => {
    const { customer, deliver, ends, id } = await pending(ADD);
    await sql(`update sandbox_action set lease_until = now() + interval '1 minute', attempt = 1 where id = '${id}'`);
    await consumer.handle(deliver());
    expect(ends).toEqual(['retry later']);
    expect(await total(customer.id)).toBe(0);
  });

  it('make mails leave after the commit, once, with a Message-ID that a repetition would have again', async () => {
    const { deliver, id } = await pending(
      `context.sendEmail({ to: 'once@example.test', subject: 'Größe', html: '<b>hi</b>' })`,
    );
    await consumer.handle(deliver());
    await consumer.handle(deliver());
    const mails = await stack.mailsTo('once@example.test');
    expect(mails).toHaveLength(1);
    expect(mails[0]).toMatchObject({ subject: 'Größe', messageId: `<${id}.0@${stack.acme}.nestjs-sandbox>` });
    await until(
      async () => (await sql(`select status from sandbox_email where action_id = '${id}'`))[0]?.['status'] === 'sent',
    );
  });

  it('make mails that a crash left behind leave at the next sweep', async () => {
    const { deliver, id } = await pending(`context.sendEmail({ to: 'late@example.test', text: 'x' })`);
    const mail = stack.app.get(MailSender, { strict: false });
    const wake = mail.wake.bind(mail);
    mail.wake = () => undefined;
    await consumer.handle(deliver());
    mail.wake = wake;
    expect(await sql(`select status, attempts from sandbox_email where action_id = '${id}'`)).toEqual([
      { status: 'pending', attempts: 0 },
    ]);
    await mail.sweepOnce();
    expect(await stack.mailsTo('late@example.test')).toHaveLength(1);
  });

  it('make a mail that the server refuses wait, and one refused for good fail visibly', async () => {
    const { deliver, id } = await pending(`context.sendEmail({ to: 'x@example.test', text: 'x' })`);
    const mail = stack.app.get(MailSender, { strict: false }) as unknown as { mailer: { sendMail: unknown } };
    const { mailer } = mail;
    const row = async () =>
      (
        await sql(
          `select status, attempts, error, next_attempt_at > now() as waits from sandbox_email where action_id = '${id}'`,
        )
      )[0];
    try {
      mail.mailer = { sendMail: () => Promise.reject(new Error('connect ECONNREFUSED')) };
      await consumer.handle(deliver());
      await until(async () => (await row())?.['error'] !== null);
      expect(await row()).toMatchObject({ status: 'pending', attempts: 1, waits: true });
      mail.mailer = {
        sendMail: () => Promise.reject(Object.assign(new Error('550 no such user'), { responseCode: 550 })),
      };
      await sql(`update sandbox_email set next_attempt_at = now() where action_id = '${id}'`);
      await stack.app.get(MailSender, { strict: false }).sweepOnce();
      await until(async () => (await row())?.['status'] === 'failed');
      expect(await row()).toMatchObject({ attempts: 2, error: expect.stringContaining('550') as unknown });
    } finally {
      mail.mailer = mailer;
    }
  });
});
