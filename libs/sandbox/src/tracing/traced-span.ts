import type { Attributes, Span, SpanKind, Telemetry } from 'bullmq';
import type { TraceCarrier } from '../protocol/trace.js';

const INTERNAL = 0 as SpanKind.INTERNAL;

/** A span under way, and the context in which it is the active one. */
export class TracedSpan {
  private readonly context: unknown;

  private constructor(
    private readonly telemetry: Telemetry,
    private readonly span: Span,
    around: unknown,
  ) {
    this.context = span.setSpanOnContext(around);
  }

  /** Begins a span below the one of `context`. */
  static start(
    telemetry: Telemetry,
    name: string,
    kind: SpanKind,
    attributes: Attributes,
    context: unknown,
  ): TracedSpan {
    const span = telemetry.tracer.startSpan(name, { kind }, context);
    span.setAttributes(attributes);
    return new TracedSpan(telemetry, span, context);
  }

  /** What makes a span of another process the child of this one; `undefined` where no tracer is at work. */
  get carrier(): TraceCarrier | undefined {
    const metadata = this.telemetry.contextManager.getMetadata(this.context);
    return metadata === '{}' ? undefined : (JSON.parse(metadata) as TraceCarrier);
  }

  /** Begins a span below this one, to be ended by the caller. */
  child(name: string, attributes: Attributes = {}): TracedSpan {
    return TracedSpan.start(this.telemetry, name, INTERNAL, attributes, this.context);
  }

  /** Calls `work` with this span as the active one: spans that it begins are children of it. */
  within<T>(work: () => T): T {
    return this.telemetry.contextManager.with(this.context, work) as T;
  }

  /** Does `work` in a span of its own below this one; a rejection is recorded there and passed on. */
  async around<T>(name: string, work: (span: TracedSpan) => Promise<T>): Promise<T> {
    const span = this.child(name);
    try {
      const result = await span.within(() => work(span));
      span.end();
      return result;
    } catch (error) {
      span.end({}, error);
      throw error;
    }
  }

  /** Ends it. BullMQ's spans have no status: a failure is an exception event and the attribute `error.type`. */
  end(attributes: Attributes = {}, error?: unknown): void {
    this.span.setAttributes(attributes);
    if (error !== undefined) {
      const exception = exceptionOf(error);
      this.span.setAttribute('error.type', exception.name);
      this.span.recordException(exception);
    }
    this.span.end();
  }
}

/** Errors, and what scripts' errors have become: plain objects with the author's own positions in their stack. */
function exceptionOf(error: unknown): { name: string; message: string; stack?: string } {
  if (typeof error !== 'object' || error === null) return { name: typeof error, message: String(error) };
  const { name = 'Error', message = '', stack } = error as Partial<Error>;
  return { name, message, ...(stack === undefined ? {} : { stack }) };
}
