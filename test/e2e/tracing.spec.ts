// One trace from the request to the last bridge call of the scripts it led to, over real queues and databases.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { context, propagation, type Span, SpanKind, trace } from '@opentelemetry/api';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import { BullMQOtel } from 'bullmq-otel';
import { BridgeMethod, BridgeService, TenantDataSources } from 'nestjs-sandbox';
import { until } from '../support/processes.mjs';
import { type Stack, startStack } from './stack.js';

const exporter = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });

@BridgeService('stock')
class Stock {
  @BridgeMethod()
  async reserve(): Promise<number> {
    await Promise.resolve();
    return trace.getTracer('host').startActiveSpan('reserve in the warehouse', (span) => {
      span.end();
      return 7;
    });
  }
}

/** An application that is traced as OpenTelemetry's HTTP instrumentation does it. */
async function serve(handle: (path: string) => Promise<unknown>): Promise<Server> {
  const server = createServer((request, response) => {
    const parent = propagation.extract(context.active(), request.headers);
    const answer = async (span: Span): Promise<void> => {
      await handle(request.url as string);
      span.end();
      response.end();
    };
    const name = `GET ${request.url}`;
    void trace.getTracer('host').startActiveSpan(name, { kind: SpanKind.SERVER }, parent, answer);
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  return server;
}

describe.each(['redis', 'postgres'] as const)('with telemetry, on %s', (queue) => {
  let stack: Stack;
  let server: Server;
  let requests = 0;

  beforeAll(async () => {
    provider.register();
    stack = await startStack({
      queue,
      providers: [Stock],
      module: { telemetry: new BullMQOtel({ tracerName: 'shop' }) },
    });
    server = await serve(async () => {
      const customer = await stack.createCustomer(stack.acme);
      await stack.createOrder(stack.acme, customer, '10');
    });
  }, 60_000);
  afterAll(async () => {
    server?.close();
    await stack?.close();
    trace.disable();
    context.disable();
    propagation.disable();
  });
  beforeEach(() => exporter.reset());

  /** Creates an order over HTTP as part of a trace that began elsewhere; returns its id. */
  async function request(): Promise<string> {
    requests += 1;
    const traceId = `4bf92f3577b34da6a3ce929d0e0e${String(requests).padStart(4, '0')}`;
    const { port } = server.address() as AddressInfo;
    const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
    await fetch(`http://127.0.0.1:${port}/orders`, { headers });
    await stack.settled(stack.acme);
    return traceId;
  }

  /** The spans of a trace, once as many runs as expected have ended: a run's span ends just after its commit. */
  async function spansOf(traceId: string, runs: number): Promise<ReadableSpan[]> {
    const all = () => exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === traceId);
    const ended = () => all().filter(({ name }) => name === 'sandbox run').length >= runs;
    await until(ended, { what: `${runs} runs in the trace` });
    return all();
  }

  /** `a > b > c`: from the outermost span that this process began. */
  const pathOf = (spans: readonly ReadableSpan[]) => (span: ReadableSpan) => {
    const names = [span.name];
    for (let at = span; ;) {
      const parent = spans.find((other) => other.spanContext().spanId === at.parentSpanContext?.spanId);
      if (!parent) return names.join(' > ');
      names.unshift(parent.name);
      at = parent;
    }
  };

  const RUN = 'GET /orders > sandbox capture > sandbox run';

  it('a request, its capture, the run, each of its bridge calls and what a host service does are one trace', async () => {
    await stack.deploy(
      stack.acme,
      `const [customer] = context.query({ entity: 'customer', where: { id: context.record.customerId } });
       const units = context.stock.reserve({});
       context.execute([{ op: 'update', entity: 'customer', id: customer.id, increment: { orderTotal: String(units) } }]);
       context.sendEmail({ to: 'ann@example.test', subject: 'traced', text: 'x' });`,
    );
    const spans = await spansOf(await request(), 1);
    expect(spans.map(pathOf(spans)).sort()).toEqual([
      'GET /orders',
      'GET /orders > sandbox capture',
      RUN,
      `${RUN} > sandbox bridge query`,
      `${RUN} > sandbox bridge stock.reserve`,
      `${RUN} > sandbox bridge stock.reserve > reserve in the warehouse`,
      `${RUN} > sandbox commit`,
      `${RUN} > sandbox commit > sandbox bridge execute`,
      `${RUN} > sandbox commit > sandbox bridge sendEmail`,
    ]);
    const run = spans.find(({ name }) => name === 'sandbox run') as ReadableSpan;
    expect(run.kind).toBe(SpanKind.CONSUMER);
    expect(run.attributes).toMatchObject({
      'sandbox.tenant.id': stack.acme,
      'sandbox.script.name': 'test',
      'sandbox.entity': 'order',
      'sandbox.attempt': 1,
      'sandbox.outcome': 'ok',
    });
  }, 30_000);

  it('a script that a script fires belongs to the trace, and so does its retry, which knows it from the row', async () => {
    await stack.deploy(
      stack.acme,
      `context.execute([{ op: 'update', entity: 'customer', id: context.record.customerId, values: { name: 'Eve' } }]);`,
    );
    await stack.deploy(stack.acme, `throw new Error('not yet')`, { name: 'fired', entity: 'customer', on: ['update'] });
    const traceId = await request();
    const spans = await spansOf(traceId, 2);
    expect(spans.map(pathOf(spans))).toContain(`${RUN} > sandbox run`);
    const [action] = (await stack.actions.list(stack.acme, { script: 'fired' })).items;
    await stack.actions.retry(stack.acme, action!.id);
    await spansOf(traceId, 3);
    const rows = await stack.app
      .get(TenantDataSources)
      .run(stack.acme, {}, (source) => source.query(`select trace->>'traceparent' as parent from sandbox_action`));
    expect(rows).toHaveLength(requests + 1);
    for (const { parent } of rows) expect(parent).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e\d{4}-[0-9a-f]{16}-01$/);
    await stack.scripts.remove(stack.acme, 'fired');
  }, 30_000);

  it('what a script or a call of it dies of is in its span', async () => {
    await stack.deploy(
      stack.acme,
      `try { context.query({ entity: 'nothing' }) } catch {} throw new RangeError('too far')`,
    );
    const spans = await spansOf(await request(), 1);
    const named = (name: string) => spans.find((span) => span.name === name) as ReadableSpan;
    expect(named('sandbox run').attributes).toMatchObject({
      'sandbox.outcome': 'exception',
      'error.type': 'RangeError',
    });
    expect(named('sandbox run').events[0]?.attributes).toMatchObject({ 'exception.message': 'too far' });
    expect(named('sandbox bridge query').events[0]?.attributes?.['exception.message']).toContain('nothing');
  }, 30_000);
});
