// One of the processes under test, and a supervisor that starts it again, as systemd or Kubernetes would.
import { createWriteStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startApp, lastWords } from '../support/shop.mjs';
import { until } from '../support/processes.mjs';

/** Milliseconds until the supervisor tries again after a start that failed. */
const START_AGAIN_MS = 500;
/** Milliseconds that a process may take to end after SIGTERM: its `drainMs` of 10 s, and what closing takes. */
const STOP_WITHIN_MS = 15_000;
/** Milliseconds that a start may take, servers that are away included. */
const START_WITHIN_MS = 60_000;

/** What a log must never hold. */
const FORBIDDEN = /unhandled ?(promise)? ?rejection|uncaught|MaxListenersExceeded|heap out of memory/i;

/** A process of the shop that is kept running until `retire`. */
export class Actor {
  /** What should not have happened, as sentences. */
  problems = [];
  /** Starts that failed while a server was away: normal for a process that needs it. */
  failedStarts = 0;
  starts = 0;
  /** Milliseconds that each SIGTERM took to end it. */
  stops = [];
  #app;
  #expected = false;
  #retired = false;
  #serves = false;

  /** `isReady(output)` resolves to whether it serves; `wasDisturbed()` whether a server it needs was lately away. */
  constructor({ name, app, environment, logs, isReady, wasDisturbed }) {
    Object.assign(this, { name, app, environment, logs, isReady, wasDisturbed });
    this.clockFile = join(logs, `${name}.clock`);
    this.setClock(0);
  }

  /** Starts it, again and again if it must be; resolves when it serves. */
  async start() {
    while (!this.#retired && !(await this.#startOnce())) {
      if (!this.wasDisturbed()) throw new Error(`${this.name} cannot start:\n${this.problems.at(-1)}`);
      this.failedStarts += 1;
      await new Promise((resolve) => setTimeout(resolve, START_AGAIN_MS));
    }
  }

  /** kill -9. */
  async kill() {
    this.#expected = true;
    await this.#app?.kill();
  }

  /** SIGTERM; resolves to the milliseconds until it was gone. */
  async terminate() {
    this.#expected = true;
    const app = this.#app;
    const begun = performance.now();
    await app?.stop({ graceMs: STOP_WITHIN_MS });
    const tookMs = performance.now() - begun;
    const { code, signal } = (await app?.exited) ?? { code: 0 };
    if (signal === 'SIGKILL') this.#problem(`was still there ${STOP_WITHIN_MS} ms after SIGTERM`);
    else if (code !== 0 && signal !== 'SIGTERM') this.#problem(`ended with ${code ?? signal} after SIGTERM`);
    this.stops.push(tookMs);
    return tookMs;
  }

  /** Sets its clock so many milliseconds away from the machine's; a process that is started later has it right. */
  setClock(offsetMs) {
    writeFileSync(this.clockFile, String(offsetMs));
    if (this.#serves && this.alive) this.#app.child.kill('SIGWINCH');
  }

  /** Ends it for good. */
  async retire() {
    this.#retired = true;
    return this.terminate();
  }

  get alive() {
    return this.#app !== undefined && this.#app.child.exitCode === null && this.#app.child.signalCode === null;
  }

  async #startOnce() {
    const app = startApp(this.app, {
      ...this.environment,
      CHAOS_CLOCK: this.clockFile,
      NODE_OPTIONS: `--import ${new URL('clock.mjs', import.meta.url).href}`,
    });
    this.starts += 1;
    this.#expected = false;
    this.#app = app;
    this.#record(app);
    this.#serves = false;
    void app.exited.then((end) => this.#ended(app, end));
    await until(async () => !this.alive || (await this.isReady(app.output())), {
      timeoutMs: START_WITHIN_MS,
      what: `${this.name} to start`,
    }).catch(() => this.#problem(`did not serve ${START_WITHIN_MS} ms after its start`));
    if (!this.alive) return this.#expected;
    this.#serves = true;
    return true;
  }

  #record(app) {
    const file = createWriteStream(join(this.logs, `${this.name}.${this.starts}.log`));
    for (const stream of [app.child.stdout, app.child.stderr]) {
      stream.on('data', (chunk) => {
        file.write(chunk);
        const found = FORBIDDEN.exec(String(chunk));
        if (found)
          this.#problem(
            `says "${found[0]}": ${String(chunk).slice(Math.max(0, found.index - 200), found.index + 600)}`,
          );
      });
    }
    void app.exited.then(() => file.end());
  }

  #ended(app, { code, signal }) {
    if (this.#expected || app !== this.#app) return;
    const words = lastWords(app.output(), 4);
    if (!this.#serves && this.wasDisturbed()) return;
    const when = this.#serves ? 'while it served' : 'while it started';
    this.#problem(`ended by itself (${code ?? signal}) ${when}: ${words}`);
    if (this.#serves && !this.#retired) void this.start().catch((error) => this.#problem(String(error)));
  }

  #problem(text) {
    this.problems.push(`${this.name} ${text}`);
  }
}
