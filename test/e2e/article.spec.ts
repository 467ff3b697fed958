// The article the project started from, point by point: what it promises works here, and what it got wrong does not
// happen. docs/article.md has the table; points 26 and 28 are open in parts.
import { Injectable } from '@nestjs/common';
import { BridgeMethod, BridgeService, createScriptRunner, type ScriptRunner } from 'nestjs-sandbox';
import { startStack, type Stack } from './stack.js';

const EXAMPLE = `
  var order = context.record;
  context.executeMultiple([{ op: 'update', entity: 'customer', id: order.customerId, increment: { orderTotal: order.amount } }]);
  var customer = context.retrieveMultiple({ entity: 'customer', where: { id: order.customerId } })[0];
  if (Number(customer.orderTotal) >= 1000 && Number(customer.orderTotal) - Number(order.amount) < 1000) {
    context.sendEmail(customer.email, '', '', 'Thank you, ' + customer.name, 'You have ordered for ' + customer.orderTotal);
  }
  setResult(customer.orderTotal);
`;

@Injectable()
@BridgeService('clock')
class SlowClock {
  @BridgeMethod()
  async wait({ ms }: { ms: number }): Promise<string> {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return 'waited';
  }
}

describe('the article', () => {
  let stack: Stack;
  let runner: ScriptRunner;
  beforeAll(async () => {
    [stack, runner] = await Promise.all([
      startStack({ providers: [SlowClock], module: { engine: 'quickjs' } }),
      createScriptRunner({ threads: 2 }),
    ]);
  }, 60_000);
  afterAll(() => Promise.all([stack?.close(), runner?.close()]));

  /** Deploys the source, creates one order of 12.50, and returns what became of its action. */
  async function fire(source: string, more: object = {}, tenantId = stack.acme) {
    const name = `s${Math.random().toString(36).slice(2, 10)}`;
    const customer = await stack.createCustomer(tenantId);
    await stack.deploy(tenantId, source, { ...more, name });
    const order = await stack.createOrder(tenantId, customer, '12.50');
    await stack.settled(tenantId);
    await stack.scripts.remove(tenantId, name);
    const { items } = await stack.actions.list(tenantId, { script: name });
    const action = await stack.actions.get(tenantId, items[0]!.id);
    return { action, execution: action.executions.at(-1)!, order, customer };
  }

  it('point 2: a script sees the data of its own tenant only', async () => {
    await stack.createCustomer(stack.globex, 'Foreigner');
    const { execution } = await fire(`context.query({ entity: 'customer' }).map((row) => row.name)`);
    expect(execution.value).toContain('Ada');
    expect(execution.value).not.toContain('Foreigner');
  });

  it.each(['quickjs', 'js-interpreter'] as const)('points 3, 13 and 27: the example works on %s', async (engine) => {
    const customer = await stack.createCustomer(stack.globex, `Threshold ${engine}`);
    await stack.deploy(stack.globex, EXAMPLE, { name: 'total', engine });
    for (const amount of ['400.10', '500.20', '200.30', '100.05'])
      await stack.createOrder(stack.globex, customer, amount);
    await stack.settled(stack.globex);
    expect((await stack.customer(stack.globex, customer.id)).orderTotal).toBe('1200.65');
    const mails = await stack.mailsTo(customer.email);
    expect(mails).toHaveLength(1);
    expect(mails[0]!.subject).toBe(`Thank you, Threshold ${engine}`);
    expect(mails[0]!.text).toContain('1100.60');
    await stack.scripts.remove(stack.globex, 'total');
  });

  it('point 4: a script is deployed, changed and disabled without a restart', async () => {
    const customer = await stack.createCustomer(stack.acme);
    const run = async (source: string) => {
      await stack.deploy(stack.acme, source, { name: 'changing' });
      await stack.createOrder(stack.acme, customer, '1');
      await stack.settled(stack.acme);
      const { items } = await stack.actions.list(stack.acme, { script: 'changing' });
      return (await stack.actions.get(stack.acme, items[0]!.id)).executions.at(-1)!.value;
    };
    expect(await run('"first"')).toBe('first');
    expect(await run('"second"')).toBe('second');
    await stack.scripts.disable(stack.acme, 'changing');
    await stack.createOrder(stack.acme, customer, '1');
    await stack.settled(stack.acme);
    expect((await stack.actions.list(stack.acme, { script: 'changing' })).items).toHaveLength(2);
  });

  it('points 5 and 14: user, operation, entity, record and tenant reach the script as data', async () => {
    const { execution, order } = await fire(
      `var c = context; ({ user: c.userId, op: c.operation, entity: c.entity, id: c.record.id, amount: c.record.amount,
         prev: c.prevRecord, org: c.orgName, tenant: c.tenantId, action: typeof c.action })`,
    );
    expect(execution.value).toEqual({
      user: 'ann',
      op: 'create',
      entity: 'order',
      id: order.id,
      amount: '12.50',
      prev: {},
      org: stack.acme,
      tenant: stack.acme,
      action: 'object',
    });
  });

  it('point 6: every script that listens fires, and operations are compared whole', async () => {
    const customer = await stack.createCustomer(stack.acme);
    await stack.deploy(stack.acme, '1', { name: 'all-a' });
    await stack.deploy(stack.acme, '2', { name: 'all-b' });
    await stack.deploy(stack.acme, '3', { name: 'all-c', on: ['update'] });
    await stack.createOrder(stack.acme, customer, '1');
    await stack.settled(stack.acme);
    const fired = (await stack.actions.list(stack.acme, { entity: 'order' })).items.map((item) => item.scriptName);
    expect(fired).toEqual(expect.arrayContaining(['all-a', 'all-b']));
    expect(fired).not.toContain('all-c');
    for (const name of ['all-a', 'all-b', 'all-c']) await stack.scripts.remove(stack.acme, name);
  });

  it('points 8, 15 and 22: the action keeps its result, its log and how it ended', async () => {
    const { action, execution } = await fire(
      `log('one', 2); console.warn({ three: 3 }); setResult({ sum: 6 }); 'ignored'`,
    );
    expect(action).toMatchObject({ status: 'done', outcome: 'ok', operation: 'create', entity: 'order', attempt: 1 });
    expect(execution.value).toEqual({ sum: 6 });
    expect(execution.logs).toEqual([
      { level: 'info', message: 'one 2' },
      { level: 'warn', message: '{"three":3}' },
    ]);
  });

  it('point 9: a thread that dies takes its own run with it, and no other', async () => {
    const [hog, other] = await Promise.all([
      runner.run({ tenantId: 'a', source: `[].indexOf.call({ length: 9e15 }, 1)`, limits: { cpuMs: 100 } }),
      runner.run({ tenantId: 'b', source: `'fine'` }),
    ]);
    expect(hog.outcome).toBe('exceededCpu');
    expect(other).toMatchObject({ outcome: 'ok', value: 'fine' });
    expect(await runner.run({ tenantId: 'a', source: '1' })).toMatchObject({ outcome: 'ok', value: 1 });
  });

  it('point 10: nothing a script sends can name another tenant', async () => {
    await stack.createCustomer(stack.globex, 'Foreigner');
    const { execution } = await fire(`
      context.tenantId = context.orgName = 'globex';
      context.query({ entity: 'customer', tenantId: 'globex', orgName: 'globex' }).length`);
    expect(execution.outcome).toBe('exception');
    expect(execution.error!.message).toContain('tenantId');
  });

  it('point 11: dates cross as ISO strings and decimals as exact strings', async () => {
    const { execution } = await fire(`({ created: context.record.createdAt, amount: context.record.amount })`);
    expect(execution.value).toEqual({ created: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/), amount: '12.50' });
  });

  it('point 12: a failing call throws an error that the script can catch', async () => {
    const { execution } = await fire(`
      let caught;
      try { context.query({ entity: 'nonsense' }); } catch (error) { caught = error instanceof Error && error.code; }
      caught`);
    expect(execution).toMatchObject({ outcome: 'ok', value: expect.stringMatching(/^SANDBOX_/) });
  });

  it('point 16: a script that never ends does not hold up another tenant', async () => {
    const endless = runner.run({ tenantId: 'a', source: 'for (;;);', limits: { cpuMs: 1_500 } });
    const quick = await runner.run({ tenantId: 'b', source: '7' });
    expect(quick.value).toBe(7);
    expect((await endless).outcome).toBe('exceededCpu');
  });

  it('point 17: waiting for the bridge is no CPU time, and five minutes of it can be granted', async () => {
    const { execution } = await fire(`context.clock.wait({ ms: 300 })`, { limits: { cpuMs: 100 } });
    expect(execution).toMatchObject({ outcome: 'ok', value: 'waited' });
    const granted = await stack.deploy(stack.acme, '1', { name: 'long', limits: { cpuMs: 300_000 }, on: ['delete'] });
    expect(granted).toMatchObject({ limits: { cpuMs: 300_000 } });
  });

  it.each(['quickjs', 'js-interpreter'] as const)(
    'point 18: errors show the line the author wrote, on %s',
    async (engine) => {
      const source = 'var a = 1;\nvar b = { c: null };\n\nb.c.d = a;\n';
      const { execution } = await fire(source, { engine });
      expect(execution.error).toMatchObject({ name: 'TypeError', line: 4 });
      expect(execution.error!.frame).toContain('b.c.d = a;');
      await expect(stack.deploy(stack.acme, 'var x = 1;\nvar y = (;\n', { engine })).rejects.toMatchObject({
        details: { error: { name: 'SyntaxError', line: 2, column: 10 } },
      });
    },
  );

  it.each(['quickjs', 'js-interpreter'] as const)(
    'point 19: TypeScript and modern JavaScript run on %s',
    async (engine) => {
      const source = `
      interface Line { price: number }
      class Basket { #lines: Line[] = []; add(line: Line) { this.#lines.push(line); return this; }
        get total() { return this.#lines.reduce((sum, { price }) => sum + price, 0); } }
      const wait = async (value: number) => value;
      new Basket().add({ price: await wait(2) }).add({ price: 3 }).total ?? 0`;
      const { execution } = await fire(source, { engine, language: 'typescript' });
      expect(execution).toMatchObject({ outcome: 'ok', value: 5 });
    },
  );

  it('points 20 and 23: a tenant is served one action at a time, oldest first', async () => {
    const customer = await stack.createCustomer(stack.acme);
    await stack.deploy(stack.acme, EXAMPLE, { name: 'serial' });
    for (let i = 0; i < 25; i++) await stack.createOrder(stack.acme, customer, '1.01');
    await stack.settled(stack.acme);
    expect((await stack.customer(stack.acme, customer.id)).orderTotal).toBe('25.25');
    const { items } = await stack.actions.list(stack.acme, { script: 'serial', limit: 100 });
    const details = await Promise.all(items.map(({ id }) => stack.actions.get(stack.acme, id)));
    const totals = details.reverse().map((action) => Number(action.executions.at(-1)!.value));
    expect(totals).toEqual([...totals].sort((a, b) => a - b));
    await stack.scripts.remove(stack.acme, 'serial');
  });

  it('point 24: scripts that fire scripts stop at depth 8, visibly', async () => {
    await stack.deploy(
      stack.acme,
      `context.execute([{ op: 'update', entity: 'order', id: context.record.id, increment: { amount: 1 } }]); 1`,
      { name: 'loop', on: ['create', 'update'] },
    );
    const order = await stack.createOrder(stack.acme, await stack.createCustomer(stack.acme), '0');
    await stack.settled(stack.acme);
    const { items } = await stack.actions.list(stack.acme, { script: 'loop', limit: 100 });
    expect(items.filter((item) => item.status === 'done')).toHaveLength(8);
    expect(items.filter((item) => item.status === 'skipped')).toHaveLength(1);
    expect(items.find((item) => item.status === 'skipped')!.error!.code).toBe('SANDBOX_CHAIN_TOO_DEEP');
    expect(order.id).toBeDefined();
    await stack.scripts.remove(stack.acme, 'loop');
  });

  it('point 25: queries, writes, mails and memory have limits of their own', async () => {
    const outcomes = [];
    for (const source of [
      `for (;;) context.query({ entity: 'customer', limit: 1 })`,
      `for (;;) context.sendEmail({ to: 'a@example.test', subject: 's', text: 't' })`,
      `const hoard = []; for (;;) hoard.push('x'.repeat(1e6) + hoard.length)`,
    ]) {
      outcomes.push((await fire(source, { limits: { queries: 5, emails: 2, cpuMs: 30_000 } })).execution.outcome);
    }
    expect(outcomes).toEqual(['exceededCalls', 'exceededCalls', 'exceededMemory']);
  });

  it('point 28: who deployed a version is kept, and so is every version', async () => {
    await stack.deploy(stack.acme, '1', { name: 'kept', createdBy: 'partner@example.test', on: ['delete'] });
    await stack.deploy(stack.acme, '2', { name: 'kept', createdBy: 'ann', on: ['delete'] });
    const versions = await stack.scripts.versions(stack.acme, 'kept');
    expect(versions.map(({ createdBy }) => createdBy).sort()).toEqual(['ann', 'partner@example.test']);
  });
});
