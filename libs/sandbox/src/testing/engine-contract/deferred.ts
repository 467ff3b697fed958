import type { BridgeCall, BridgeReply } from '../../protocol/bridge-call.js';
import { type ContractCase, expectSame } from './contract-case.js';

/** A host that answers, and keeps what crossed: the method, and the methods that came with it. */
function host(): { crossed: unknown[]; answer: (call: BridgeCall) => BridgeReply } {
  const crossed: unknown[] = [];
  const answer = ({ method, deferred }: BridgeCall): BridgeReply => {
    crossed.push([method, deferred.map((call) => call.method)]);
    const value = method === 'query' ? [{ id: '1' }] : method === 'execute' ? [{ id: 'now' }] : null;
    return { ok: true, value, deferred: deferred.map((call) => (call.method === 'execute' ? [{ id: 'late' }] : 1)) };
  };
  return { crossed, answer };
}

interface Expected {
  readonly value?: unknown;
  readonly crossed: readonly unknown[];
  /** Methods still buffered at the end. */
  readonly left: readonly string[];
}

function defers(title: string, source: string, expected: Expected): ContractCase {
  return {
    title,
    async check(subject) {
      const { crossed, answer } = host();
      const result = await subject.runDeferred(source, answer);
      const left = result.deferred.map(({ method }) => method);
      expectSame(
        [result.outcome, result.value, crossed, left],
        ['ok', expected.value, expected.crossed, expected.left],
        source,
      );
    },
  };
}

/** Mails always wait; an engine without lazy results may let `execute` cross at once, so these name mails first. */
export const deferredCases: readonly ContractCase[] = [
  defers('mails wait for the end of the run', 'context.sendEmail({ to: "a" }); context.sendEmail({ to: "b" })', {
    value: 1,
    crossed: [],
    left: ['sendEmail', 'sendEmail'],
  }),
  defers('a query takes along what waits', 'context.sendEmail({ to: "a" }); context.query({}).length', {
    value: 1,
    crossed: [['query', ['sendEmail']]],
    left: [],
  }),
  defers('a service takes along what waits', 'context.sendEmail({ to: "a" }); context.stock.take(); 1', {
    value: 1,
    crossed: [['stock.take', ['sendEmail']]],
    left: [],
  }),
  defers('a pure service lets wait what waits', 'context.sendEmail({ to: "a" }); context.pure.read(); 1', {
    value: 1,
    crossed: [['pure.read', []]],
    left: ['sendEmail'],
  }),
  {
    title: 'a script cannot tell that execute waits',
    async check(subject) {
      const looks = [
        'r.length === 1',
        'Array.isArray(r)',
        'JSON.stringify(r).length === 1 + 13 + 1 || JSON.stringify(r).includes("id")',
        'typeof r[0].id === "string"',
        '[...r].length === 1',
        'r.map((x) => x.id).length === 1',
        '"0" in r',
        'Object.keys(r).join() === "0"',
        '(await r).length === 1',
        'r instanceof Array',
        'r.slice(0, 1).length === 1',
      ];
      for (const look of looks) {
        const { value, outcome, error } = await subject.runDeferred(
          `const r = context.execute([{ op: "create" }]);\n${look}`,
          host().answer,
        );
        expectSame([outcome, value], ['ok', true], `${look} (${error?.message ?? ''})`);
      }
    },
  },
  {
    title: 'a deferred call that the host refuses throws at the look',
    async check(subject) {
      const answer = (): BridgeReply => ({
        ok: false,
        error: { name: 'Refused', message: 'no', code: 'NO' },
        failedDeferred: 0,
        deferred: [],
      });
      const source = 'context.sendEmail({ to: "a" });\nlet r; try { context.query({}) } catch (e) { r = e.code }\nr';
      const result = await subject.runDeferred(source, answer);
      expectSame([result.outcome, result.value, result.deferred.length], ['ok', 'NO', 0], source);
    },
  },
  {
    title: 'a run that fails leaves nothing to be done',
    async check(subject) {
      const result = await subject.runDeferred('context.sendEmail({ to: "a" }); throw new Error("x")', host().answer);
      expectSame([result.outcome, result.deferred], ['exception', []], 'what is left of a failed run');
    },
  },
  {
    title: 'a restart asked for by the host cannot be caught',
    async check(subject) {
      const error = { name: 'Error', message: 'again', code: 'RESTART', fatal: 'restart' } as const;
      const source = 'context.sendEmail({ to: "a" }); for (;;) try { context.query({}) } catch {}';
      const result = await subject.runDeferred(source, () => ({ ok: false, error }));
      expectSame([result.outcome, result.error?.code], ['cancelled', 'RESTART'], source);
    },
  },
];
