// Small helpers shared by everything that starts a real service for tests, benchmarks and the demo.
import net from 'node:net';

/** A TCP port that was free a moment ago on 127.0.0.1. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Calls `condition` until it returns something truthy; rejects after `timeoutMs` with what it was waiting for. */
export async function until(condition, { timeoutMs = 20_000, everyMs = 25, what = 'a condition' } = {}) {
  const end = Date.now() + timeoutMs;
  let failure;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    if (Date.now() > end) throw new Error(`Waited ${timeoutMs} ms in vain for ${what}`, { cause: failure });
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** Whether something accepts TCP connections at the port. */
export function accepts(port, host = '127.0.0.1') {
  return new Promise((resolve) => {
    const socket = net.connect(port, host);
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}

/** Ends a child process: SIGTERM (or `signal`), then SIGKILL after `graceMs`. Resolves when it is gone. */
export function stopProcess(child, { signal = 'SIGTERM', graceMs = 5_000 } = {}) {
  if (!child || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    child.once('exit', () => (clearTimeout(timer), resolve()));
    child.kill(signal);
  });
}

const cleanups = new Set();
let watching = false;

/**
 * Calls `cleanup` (synchronous: kill, remove) if this process ends before `cancel()` is called on what is returned, also
 * by a signal. A program with a signal handler of its own stops things in its own order; then this waits for its exit.
 */
export function onExit(cleanup) {
  if (!watching) watchForTheEnd();
  cleanups.add(cleanup);
  return { cancel: () => cleanups.delete(cleanup) };
}

function watchForTheEnd() {
  watching = true;
  const cleanAll = () => {
    for (const cleanup of cleanups) cleanup();
    cleanups.clear();
  };
  process.once('exit', cleanAll);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, function handler() {
      if (process.listenerCount(signal) > 1) return;
      cleanAll();
      process.off(signal, handler);
      process.kill(process.pid, signal);
    });
  }
}
