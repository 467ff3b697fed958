// One measured process, and how work is put before it.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A child process that serves the benchmark's protocol (child.mjs). */
export class Contender {
  constructor(name, file, config, servers) {
    this.name = name;
    this.servers = servers;
    this.waiting = [];
    this.early = [];
    this.child = fork(fileURLToPath(new URL(file, import.meta.url)), {
      env: { ...process.env, BENCH_CONFIG: JSON.stringify(config) },
      // BENCH_EXEC_ARGV: options for node, such as --cpu-prof
      execArgv: process.env.BENCH_EXEC_ARGV?.split(' ') ?? [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.child.on('message', (message) => {
      const waiting = this.waiting.shift();
      if (waiting) waiting(message);
      else this.early.push(message);
    });
    this.gone = new Promise((_, reject) =>
      this.child.once('exit', (code) => reject(new Error(`${name} ended with ${code}`))),
    );
    this.gone.catch(() => undefined);
  }

  /** The next message of the child; rejects where it ended, or says nothing for a minute. */
  async next() {
    const early = this.early.shift();
    const message =
      early ?? (await Promise.race([new Promise((resolve) => this.waiting.push(resolve)), this.gone, late(this.name)]));
    if (message.failed) throw new Error(`${this.name}: an action ended as ${message.failed}`);
    return message;
  }

  /** Lets it work off `target` actions; the first `warm` of them do not count. Resolves to rate and cost of the rest. */
  async drain({ warm, target }) {
    this.child.send({ drain: { warm, target } });
    const from = await this.next();
    const serversFrom = await this.servers.cpuUs();
    const to = await this.next();
    const serversTo = await this.servers.cpuUs();
    await this.rest();
    const count = target - warm;
    if (process.env.BENCH_VERBOSE) {
      const us = (all) => Math.round(all / count);
      console.error(
        `${this.name}: node ${us(to.cpuUs - from.cpuUs)} µs, servers ${us(serversTo - serversFrom)} µs an action`,
      );
    }
    return {
      perSecond: count / ((to.at - from.at) / 1_000),
      cpuUs: (to.cpuUs - from.cpuUs + serversTo - serversFrom) / count,
    };
  }

  async rest() {
    this.child.send({ rest: true });
    while (!(await this.next()).resting);
  }

  /** Milliseconds from a commit to its effect's, for single saves with nothing else to do. */
  async latencies(count, save) {
    this.child.send({ watch: true });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const times = [];
    for (let n = 0; n < count; n++) {
      const committedAt = await save(n);
      times.push((await this.next()).effectAt - committedAt);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await this.rest();
    return times.slice(Math.floor(count / 4)).sort((a, b) => a - b);
  }

  close() {
    this.child.removeAllListeners('message');
    if (this.child.connected) this.child.send({ close: true });
    const ended = this.gone.catch(() => undefined);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
    return ended.finally(() => clearTimeout(timer));
  }
}

const late = (name) =>
  new Promise((_, reject) => setTimeout(() => reject(new Error(`${name} said nothing for a minute`)), 60_000).unref());
