import { ScriptTester } from './script-tester.js';

describe('ScriptTester', () => {
  let tester: ScriptTester;
  beforeAll(async () => (tester = await ScriptTester.create()));
  afterAll(() => tester.close());

  it('runs a script in the sandbox and records what it asked for', async () => {
    const result = await tester.run({
      source: `
        const [customer] = context.query({ entity: 'customer', where: { id: context.record.customerId } });
        context.execute([{ op: 'update', entity: 'customer', id: customer.id, increment: { orderTotal: 5 } }]);
        if (customer.vip) context.sendEmail({ to: customer.email, subject: 'Thanks', text: 'Really' });
        'done'`,
      input: { record: { id: 'o1', customerId: 'c1' } },
      bridge: { query: () => [{ id: 'c1', vip: true, email: 'vip@example.test' }] },
    });
    expect(result).toMatchObject({ outcome: 'ok', value: 'done' });
    expect(result.calls.map(({ method }) => method)).toEqual(['query', 'execute', 'sendEmail']);
    expect(result.writes).toEqual([{ op: 'update', entity: 'customer', id: 'c1', increment: { orderTotal: 5 } }]);
    expect(result.emails).toEqual([{ to: 'vip@example.test', subject: 'Thanks', text: 'Really' }]);
  });

  it('answers what the test does not, so that a script goes on', async () => {
    const source = `[context.query({ entity: 'customer' }).length, context.execute([{ op: 'create', entity: 'order', values: {} }])[0].affected]`;
    expect((await tester.run({ source })).value).toEqual([0, 1]);
  });

  it('shows a mistake at its line', async () => {
    const { outcome, error } = await tester.run({ source: 'const a = 1;\na.b.c;' });
    expect(outcome).toBe('exception');
    expect(error).toMatchObject({ name: 'TypeError', line: 2 });
  });
});
