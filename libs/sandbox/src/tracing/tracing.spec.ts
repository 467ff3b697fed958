import { context, propagation, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { BullMQOtel } from 'bullmq-otel';
import { Tracing } from './tracing.js';

const begin = (telemetry?: BullMQOtel, parent?: object) =>
  new Tracing(telemetry ? { telemetry } : {}).start('work', 'consumer', { a: 1 }, parent as never);

describe('Tracing', () => {
  it('makes nothing where the host gave no telemetry', () => {
    expect(begin()).toBeUndefined();
  });

  it('carries nothing where no tracer is registered', async () => {
    const span = begin(new BullMQOtel());
    expect(span?.carrier).toBeUndefined();
    await expect(span?.around('call', () => Promise.resolve(1))).resolves.toBe(1);
    span?.end({}, new Error('no'));
  });

  describe('with a tracer', () => {
    const exporter = new InMemorySpanExporter();
    beforeAll(() => new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register());
    beforeEach(() => exporter.reset());
    afterAll(() => {
      trace.disable();
      context.disable();
      propagation.disable();
    });

    it('continues the trace of a carrier, in spite of the one that is active', async () => {
      const telemetry = new BullMQOtel();
      const writer = begin(telemetry);
      const carrier = writer?.carrier;
      await begin(telemetry)?.around('other', () => Promise.resolve(begin(telemetry, carrier)?.end()));
      const [continued] = exporter.getFinishedSpans();
      expect(carrier).toEqual({ traceparent: expect.stringContaining(continued!.spanContext().traceId) });
      expect(continued?.attributes).toEqual({ a: 1 });
    });

    it.each([
      [new RangeError('far'), 'RangeError', 'far'],
      [{ name: 'Wrong', message: 'so' }, 'Wrong', 'so'],
      ['text', 'string', 'text'],
      [null, 'object', 'null'],
    ])('records what it ends with: %p', async (error, type, message) => {
      const failing = begin(new BullMQOtel())?.around('call', () => Promise.reject(error));
      await expect(failing).rejects.toBe(error);
      const [span] = exporter.getFinishedSpans();
      expect(span?.attributes).toEqual({ 'error.type': type });
      expect(span?.events[0]?.attributes).toMatchObject({ 'exception.message': message });
    });
  });
});
