/**
 * What carries a trace from the writer's request to the run of its scripts, through the action's row and its job: the
 * headers of W3C Trace Context (`traceparent`, `tracestate`), or whatever the host's telemetry writes in their place.
 */
export type TraceCarrier = Readonly<Record<string, unknown>>;
