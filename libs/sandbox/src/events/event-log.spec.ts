import { Logger } from '@nestjs/common';
import { EventLog } from './event-log.js';
import { SandboxEvents } from './sandbox-events.js';

describe('EventLog', () => {
  let events: SandboxEvents;
  let log: EventLog;
  let lines: string[];
  beforeEach(() => {
    jest.useFakeTimers();
    lines = [];
    jest
      .spyOn(Logger.prototype, 'error')
      .mockImplementation((line: unknown) => void lines.push(`error ${String(line)}`));
    jest.spyOn(Logger.prototype, 'warn').mockImplementation((line: unknown) => void lines.push(`warn ${String(line)}`));
    events = new SandboxEvents();
    log = new EventLog(events);
  });
  afterEach(() => {
    log.onModuleDestroy();
    jest.restoreAllMocks();
    jest.useRealTimers();
  });
  const fail = (tenantId?: string) =>
    events.emit('background.error', { where: 'relay', error: new Error('gone'), ...(tenantId ? { tenantId } : {}) });

  it('writes what goes wrong, with the tenant and the reason', () => {
    fail();
    const error = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    events.emit('dispatch.failed', { tenantId: 'acme', count: 2, error });
    events.emit('action.dead', { tenantId: 'acme', actionId: 'a1', error: 'leased' });
    expect(lines).toEqual([
      'error relay: gone',
      'warn 2 actions of tenant acme did not reach the queue; the relay tries again: connect ECONNREFUSED (ECONNREFUSED)',
      'error Action a1 of tenant acme was given up, its attempts are used up: leased',
    ]);
  });

  it('writes a line a second of a flood, and how many there were', () => {
    for (let n = 0; n < 1_000; n += 1) fail(`t${n}`);
    expect(lines).toEqual(['error relay of tenant t0: gone']);
    jest.advanceTimersByTime(1_000);
    expect(lines.slice(1)).toEqual(['error relay of tenant t999: gone (and 998 more of background.error)']);
    fail('late');
    expect(lines).toHaveLength(2);
    jest.advanceTimersByTime(2_000);
    expect(lines.slice(2)).toEqual(['error relay of tenant late: gone']);
    fail('after a pause');
    expect(lines).toHaveLength(4);
  });

  it('says at the end what it has kept back, and nothing after it', () => {
    for (let n = 0; n < 3; n += 1) fail();
    log.onModuleDestroy();
    fail();
    expect(lines).toEqual(['error relay: gone', 'error relay: gone (and 1 more of background.error)']);
  });
});
