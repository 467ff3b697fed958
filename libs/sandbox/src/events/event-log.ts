import { Inject, Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { type SandboxEventMap, SandboxEvents } from './sandbox-events.js';

/** Least milliseconds between two lines of one kind: a database that is away fails thousands of times a second. */
const LINE_EVERY_MS = 1_000;

/** Events that somebody has to look at. */
type LoggedEvent = 'background.error' | 'dispatch.failed' | 'action.dead';

/** What is kept back of one kind until its next line. */
interface Held {
  timer: NodeJS.Timeout;
  count: number;
  last: string;
}

/**
 * Writes what goes wrong to the application's log, under the name `SandboxModule`: faults of background loops, actions that
 * did not reach the queue at first (warnings: the relay hands them over), actions that were given up. One line a second and
 * kind at most, over all tenants; the next one says how many there were in between.
 */
@Injectable()
export class EventLog implements OnModuleDestroy {
  private readonly logger = new Logger('SandboxModule');
  private readonly held = new Map<LoggedEvent, Held>();
  private readonly stops: readonly (() => void)[];

  constructor(@Inject(SandboxEvents) events: SandboxEvents) {
    const log = <Name extends LoggedEvent>(name: Name, say: (event: SandboxEventMap[Name]) => string): (() => void) =>
      events.on(name, (event) => this.add(name, say(event)));
    this.stops = [
      log('background.error', ({ where, tenantId, error }) => `${where}${of(tenantId)}: ${messageOf(error)}`),
      log(
        'dispatch.failed',
        ({ tenantId, count, error }) =>
          `${count} ${count === 1 ? 'action' : 'actions'}${of(tenantId)} did not reach the queue; the relay tries again: ${messageOf(error)}`,
      ),
      log(
        'action.dead',
        ({ tenantId, actionId, error }) =>
          `Action ${actionId}${of(tenantId)} was given up, its attempts are used up: ${messageOf(error)}`,
      ),
    ];
  }

  /** Says what was kept back, and stops listening. */
  onModuleDestroy(): void {
    for (const stop of this.stops) stop();
    for (const [name, { timer }] of this.held) {
      clearTimeout(timer);
      this.flush(name);
    }
    this.held.clear();
  }

  private add(name: LoggedEvent, line: string): void {
    const held = this.held.get(name);
    if (held) {
      held.count += 1;
      held.last = line;
      return;
    }
    this.write(name, line);
    this.hold(name);
  }

  private hold(name: LoggedEvent): void {
    const timer = setTimeout(() => {
      if (this.flush(name)) this.hold(name);
      else this.held.delete(name);
    }, LINE_EVERY_MS);
    timer.unref();
    this.held.set(name, { timer, count: 0, last: '' });
  }

  /** Whether there was anything to say. */
  private flush(name: LoggedEvent): boolean {
    const { count, last } = this.held.get(name) as Held;
    if (count > 0) this.write(name, count === 1 ? last : `${last} (and ${count - 1} more of ${name})`);
    return count > 0;
  }

  private write(name: LoggedEvent, line: string): void {
    if (name === 'dispatch.failed') this.logger.warn(line);
    else this.logger.error(line);
  }
}

const of = (tenantId: string | undefined): string => (tenantId === undefined ? '' : ` of tenant ${tenantId}`);

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? `${error.message} (${code})` : error.message || error.name;
}
