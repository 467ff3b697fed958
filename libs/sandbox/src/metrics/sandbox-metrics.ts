import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { SandboxEventMap, SandboxEvents } from '../events/sandbox-events.js';
import type { ScriptPool } from '../processor/pool/script-pool.js';
import type { QueueBackend } from '../queue/queue-backend.js';
import type { Tenancy } from '../tenancy/tenancy.js';
import { QueueAge } from './queue-age.js';

/** What `collectSandboxMetrics` takes. */
export interface SandboxMetricsOptions {
  readonly events: SandboxEvents;
  /** Where the metrics are registered; those already there under their name are shared. */
  readonly registry: Registry;
  /** Whose threads are counted; left out: none. */
  readonly pool?: ScriptPool;
  /** Whose age is looked at when the metrics are read; left out: none. */
  readonly queue?: { readonly backend: QueueBackend; readonly tenancy: Tenancy };
  /** First part of every name. Default `sandbox_`. */
  readonly prefix?: string;
}

/** Seconds; from a script that only looks to one that uses all of its five minutes. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/**
 * Counts what the library does, as prom-client metrics. The tenant is not a label: a series for every tenant would cost
 * more memory than the rest of the process. Returns the way to stop.
 */
export function collectSandboxMetrics({
  events,
  registry,
  pool,
  queue,
  prefix = 'sandbox_',
}: SandboxMetricsOptions): () => void {
  const metrics = new Metrics(registry, prefix);
  const stops = [...countActions(events, metrics), ...countTheRest(events, metrics)];
  if (pool) watchPool(pool, metrics);
  if (queue) stops.push(watchQueue(new QueueAge({ events, ...queue }), metrics));
  return () => stops.forEach((stop) => stop());
}

/** Makes metrics, or finds those that another module instance made in the same registry. */
class Metrics {
  constructor(
    private readonly registry: Registry,
    private readonly prefix: string,
  ) {}

  counter<Label extends string = never>(name: string, help: string, labelNames: readonly Label[] = []): Counter<Label> {
    return this.shared(name, (full) => new Counter({ name: full, help, labelNames, registers: [this.registry] }));
  }

  histogram(name: string, help: string): Histogram {
    return this.shared(
      name,
      (full) => new Histogram({ name: full, help, buckets: SECONDS, registers: [this.registry] }),
    );
  }

  gauge(name: string, help: string, read: () => number | Promise<number>): void {
    const collect = async function (this: Gauge) {
      this.set(await read());
    };
    this.shared(name, (full) => new Gauge({ name: full, help, registers: [this.registry], collect }));
  }

  private shared<T>(name: string, make: (full: string) => T): T {
    const full = this.prefix + name;
    return (this.registry.getSingleMetric(full) as T | undefined) ?? make(full);
  }
}

type Stops = readonly (() => void)[];

function countActions(events: SandboxEvents, metrics: Metrics): Stops {
  const captured = metrics.counter('actions_captured_total', 'Actions whose rows are committed');
  const queued = metrics.counter('actions_queued_total', 'Actions handed to the queue, by whom', ['by']);
  const finished = metrics.counter('actions_finished_total', 'Actions whose run is committed', ['outcome']);
  const parked = metrics.counter('actions_parked_total', 'Actions kept in their rows, for want of room in the queue');
  const wait = metrics.histogram('action_wait_seconds', 'From the commit of an action to the start of its run');
  const run = metrics.histogram('action_run_seconds', 'From the start of a run to the commit of its effects');
  return [
    events.on('actions.captured', ({ actionIds }) => captured.inc(actionIds.length)),
    events.on('actions.queued', ({ actionIds, relayed }) =>
      queued.inc({ by: relayed ? 'relay' : 'writer' }, actionIds.length),
    ),
    events.on('action.started', ({ waitedMs }) => wait.observe(waitedMs / 1_000)),
    events.on('action.finished', ({ outcome, runMs }) => {
      finished.inc({ outcome });
      run.observe(runMs / 1_000);
    }),
    count(events, 'action.retried', metrics.counter('actions_retried_total', 'Runs lost to a fault, to be repeated')),
    count(events, 'action.dead', metrics.counter('actions_dead_total', 'Actions whose attempts are used up')),
    count(events, 'action.skipped', metrics.counter('actions_skipped_total', 'Actions given up without a run')),
    events.on('actions.parked', ({ actionIds }) => parked.inc(actionIds.length)),
    count(events, 'action.waits', metrics.counter('actions_waits_total', 'Times an action stepped aside for another')),
    count(events, 'lease.lost', metrics.counter('leases_lost_total', 'Actions in hand that another process was given')),
    count(
      events,
      'action.superseded',
      metrics.counter('actions_superseded_total', 'Runs of actions that another processor finished first'),
    ),
  ];
}

function countTheRest(events: SandboxEvents, metrics: Metrics): Stops {
  const undelivered = metrics.counter('dispatch_failures_total', 'Actions that did not reach the queue at first');
  const mailFailures = metrics.counter('emails_failed_total', 'Attempts at mails that failed', ['final']);
  const replaced = metrics.counter('threads_replaced_total', 'Threads ended from outside, or dead', ['reason']);
  const errors = metrics.counter('background_errors_total', 'Faults in loops that go on', ['where']);
  let roundMs = 0;
  metrics.gauge('relay_round_seconds', 'What the last full round of the relay took', () => roundMs / 1_000);
  return [
    events.on('dispatch.failed', (event) => undelivered.inc(event.count)),
    count(events, 'email.sent', metrics.counter('emails_sent_total', 'Mails handed to the mail server')),
    events.on('email.failed', ({ final }) => mailFailures.inc({ final: String(final) })),
    events.on('thread.replaced', ({ reason }) => replaced.inc({ reason })),
    count(events, 'capture.missed', metrics.counter('capture_missed_total', 'Writes that capture could not see')),
    events.on('relay.round', ({ tookMs }) => (roundMs = tookMs)),
    events.on('background.error', ({ where }) => errors.inc({ where })),
  ];
}

function count(events: SandboxEvents, name: keyof SandboxEventMap, counter: Counter): () => void {
  return events.on(name, () => counter.inc());
}

function watchQueue(age: QueueAge, metrics: Metrics): () => void {
  metrics.gauge('queue_age_seconds', 'Longest wait of an action that is next in its line', () => age.read());
  return () => age.stop();
}

function watchPool(pool: ScriptPool, metrics: Metrics): void {
  metrics.gauge('pool_threads', 'Threads of the pool', () => pool.stats().threads);
  metrics.gauge('pool_threads_busy', 'Threads that run a script', () => pool.stats().busy);
  metrics.gauge('pool_runs_waiting', 'Runs that wait for a thread', () => pool.stats().waiting);
}
