import { Test } from '@nestjs/testing';
import { Registry } from 'prom-client';
import { Global, Module } from '@nestjs/common';
import { SandboxEvents } from '../events/sandbox-events.js';
import { SCRIPT_POOL } from '../processor/pool/script-pool.js';
import { SandboxMetricsModule } from './metrics.module.js';
import { collectSandboxMetrics } from './sandbox-metrics.js';

const action = { tenantId: 'acme', actionId: 'a' };

function emitAll(events: SandboxEvents): void {
  const error = new Error('fault');
  events.emit('actions.captured', { tenantId: 'acme', actionIds: ['a', 'b'] });
  events.emit('actions.queued', { tenantId: 'acme', actionIds: ['a'], relayed: false });
  events.emit('actions.queued', { tenantId: 'acme', actionIds: ['b', 'c'], relayed: true });
  events.emit('dispatch.failed', { tenantId: 'acme', count: 3, error });
  events.emit('action.started', { ...action, script: 's', attempt: 1, waitedMs: 30 });
  events.emit('action.finished', { ...action, script: 's', outcome: 'ok', runMs: 4 });
  events.emit('action.finished', { ...action, script: 's', outcome: 'exceededCpu', runMs: 1_500 });
  events.emit('action.retried', { ...action, attempt: 1, error, delayMs: 1 });
  events.emit('action.dead', { ...action, error });
  events.emit('action.skipped', { ...action, reason: 'script deleted' });
  events.emit('actions.parked', { tenantId: 'acme', actionIds: ['a', 'b'] });
  events.emit('action.waits', action);
  events.emit('lease.lost', action);
  events.emit('action.superseded', action);
  events.emit('email.sent', { tenantId: 'acme', emailId: 'e', actionId: null });
  events.emit('email.failed', { tenantId: 'acme', emailId: 'e', error, final: true });
  events.emit('thread.replaced', { reason: 'deadline' });
  events.emit('capture.missed', { tenantId: 'acme', sql: 'update' });
  events.emit('relay.round', { tenants: 9, tookMs: 2_500 });
  events.emit('background.error', { where: 'relay', error });
}

const EXPECTED = [
  'sandbox_actions_captured_total 2',
  'sandbox_actions_queued_total{by="writer"} 1',
  'sandbox_actions_queued_total{by="relay"} 2',
  'sandbox_dispatch_failures_total 3',
  'sandbox_action_wait_seconds_bucket{le="0.025"} 0',
  'sandbox_action_wait_seconds_bucket{le="0.05"} 1',
  'sandbox_action_run_seconds_count 2',
  'sandbox_actions_finished_total{outcome="ok"} 1',
  'sandbox_actions_finished_total{outcome="exceededCpu"} 1',
  'sandbox_actions_retried_total 1',
  'sandbox_actions_dead_total 1',
  'sandbox_actions_skipped_total 1',
  'sandbox_actions_superseded_total 1',
  'sandbox_actions_parked_total 2',
  'sandbox_actions_waits_total 1',
  'sandbox_leases_lost_total 1',
  'sandbox_emails_sent_total 1',
  'sandbox_emails_failed_total{final="true"} 1',
  'sandbox_threads_replaced_total{reason="deadline"} 1',
  'sandbox_capture_missed_total 1',
  'sandbox_relay_round_seconds 2.5',
  'sandbox_background_errors_total{where="relay"} 1',
  'sandbox_pool_threads 4',
  'sandbox_pool_threads_busy 3',
  'sandbox_pool_runs_waiting 7',
];

const pool = { stats: () => ({ threads: 4, busy: 3, waiting: 7 }) } as never;

describe('collectSandboxMetrics', () => {
  it('counts every event, and never by tenant', async () => {
    const events = new SandboxEvents();
    const registry = new Registry();
    const stop = collectSandboxMetrics({ events, registry, pool });
    emitAll(events);
    const text = await registry.metrics();
    const lines = text.split('\n');
    expect(lines).toEqual(expect.arrayContaining(EXPECTED));
    expect(text).not.toMatch(/acme|tenant/);
    stop();
    emitAll(events);
    expect(await registry.metrics()).toBe(text);
  });

  it('shares a registry with another instance', async () => {
    const registry = new Registry();
    const [first, second] = [new SandboxEvents(), new SandboxEvents()];
    collectSandboxMetrics({ events: first, registry });
    collectSandboxMetrics({ events: second, registry, prefix: 'sandbox_' });
    first.emit('action.superseded', action);
    second.emit('action.superseded', action);
    expect(await registry.metrics()).toContain('sandbox_actions_superseded_total 2');
  });
});

describe('SandboxMetricsModule', () => {
  it('counts while the application lives', async () => {
    const registry = new Registry();
    const providers = [SandboxEvents, { provide: SCRIPT_POOL, useValue: pool }];
    @Global()
    @Module({ providers, exports: providers })
    class SandboxParts {}
    const imports = [SandboxParts, SandboxMetricsModule.forRoot({ registry, prefix: 'my_' })];
    const module = await Test.createTestingModule({ imports }).compile();
    await module.init();
    module.get(SandboxEvents).emit('action.superseded', action);
    expect(await registry.metrics()).toMatch(/my_actions_superseded_total 1[^]*my_pool_threads 4/);
    await module.close();
    module.get(SandboxEvents).emit('action.superseded', action);
    expect(await registry.metrics()).toContain('my_actions_superseded_total 1');
  });
});
