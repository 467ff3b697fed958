import { SandboxEvents } from '../../events/sandbox-events.js';
import { HostLimits } from './host-limits.js';

function hostLimits(options: object) {
  const events = new SandboxEvents();
  const reported: string[] = [];
  events.on('background.error', ({ error }) => reported.push((error as Error).message));
  const all = { tenantWeight: () => 1, tenantRate: () => undefined, ...options };
  return { limits: new HostLimits(all as never, events), reported };
}

describe('the limits a host gives a tenant', () => {
  it('are what its functions say for that tenant', () => {
    const { limits, reported } = hostLimits({
      tenantWeight: (id: string) => (id === 'big' ? 2.5 : 1),
      tenantRate: (id: string) => (id === 'big' ? { max: 10, durationMs: 1_000 } : undefined),
    });
    expect([limits.weight('big'), limits.weight('small')]).toEqual([2.5, 1]);
    expect([limits.rate('big'), limits.rate('small')]).toEqual([{ max: 10, durationMs: 1_000 }, undefined]);
    expect(reported).toEqual([]);
  });

  it.each([
    ['tenantWeight', 0, /^processing\.tenantWeight\("acme"\): expected a number above 0, got 0/],
    ['tenantWeight', 'much', /expected a number above 0, got "much"/],
    ['tenantWeight', Number.POSITIVE_INFINITY, /expected a number above 0, got Infinity/],
    ['tenantRate', { max: 0, durationMs: 10 }, /^processing\.tenantRate\("acme"\): expected \{ max, durationMs \}/],
    ['tenantRate', { max: 3 }, /expected \{ max, durationMs \}/],
    ['tenantRate', null, /expected \{ max, durationMs \}.*got null/],
  ])('are left out and reported once where %s says %j', (name, answer, problem) => {
    const { limits, reported } = hostLimits({ [name]: () => answer });
    for (let n = 0; n < 3; n += 1) expect([limits.weight('acme'), limits.rate('acme')]).toEqual([1, undefined]);
    expect(reported).toEqual([expect.stringMatching(problem)]);
  });

  it('are left out and reported where a function throws', () => {
    const throwing = () => {
      throw new TypeError('no such tenant');
    };
    const { limits, reported } = hostLimits({ tenantWeight: throwing, tenantRate: throwing });
    expect([limits.weight('acme'), limits.rate('acme')]).toEqual([1, undefined]);
    expect(reported).toHaveLength(2);
    expect(reported[0]).toMatch(/threw TypeError: no such tenant/);
  });
});
