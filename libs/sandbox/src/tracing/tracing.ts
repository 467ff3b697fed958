import { Inject, Injectable } from '@nestjs/common';
import type { Attributes, SpanKind, Telemetry } from 'bullmq';
import type { TraceCarrier } from '../protocol/trace.js';
import { SANDBOX_OPTIONS, type SandboxOptions } from '../sandbox.options.js';
import { TracedSpan } from './traced-span.js';

/** OpenTelemetry's numbers of span kinds, which are BullMQ's, too: work handed to a queue, and work taken from one. */
const KINDS = { producer: 3 as SpanKind.PRODUCER, consumer: 4 as SpanKind.CONSUMER };

/** Traces what the library does, through the host's `telemetry` option. Without one nothing is made and nothing is called. */
@Injectable()
export class Tracing {
  private readonly telemetry: Telemetry | undefined;

  constructor(@Inject(SANDBOX_OPTIONS) { telemetry }: Pick<SandboxOptions, 'telemetry'>) {
    this.telemetry = telemetry;
  }

  /**
   * Begins a span, to be ended by the caller; `undefined` where nobody traces. It continues the trace of `parent`, or, where
   * that is left out, the caller's own.
   */
  start(name: string, kind: keyof typeof KINDS, attributes: Attributes, parent?: TraceCarrier): TracedSpan | undefined {
    const { telemetry } = this;
    if (!telemetry) return undefined;
    const { contextManager } = telemetry;
    const context: unknown = parent
      ? contextManager.fromMetadata(contextManager.root?.() ?? contextManager.active(), JSON.stringify(parent))
      : contextManager.active();
    return TracedSpan.start(telemetry, name, KINDS[kind], attributes, context);
  }
}
