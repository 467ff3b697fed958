// A TCP link that can be cut, delayed, stalled and made to vanish, in front of a real server.
import net from 'node:net';

/**
 * Starts it on a free port of 127.0.0.1. Returns `{ port, cut(), delay(ms), stall(), resume(), vanish(), appear(), stop() }`:
 * `cut` resets every connection; `delay` holds each chunk back for so long, both ways; `stall` lets nothing through, on
 * new connections neither, until `resume`; `vanish` swallows all that is said on the connections there are, for good, and
 * tells neither side when the other one ends, as a firewall that forgot them: new ones are swallowed until `appear`.
 */
export async function startProxy(targetPort) {
  const state = { delayMs: 0, stalled: false, vanished: false, sockets: new Set(), links: new Set() };
  const server = net.createServer({ noDelay: true }, (client) => {
    const upstream = net.connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
    const link = { gone: state.vanished };
    state.links.add(link);
    client.once('close', () => state.links.delete(link));
    join(client, upstream, state, link);
    join(upstream, client, state, link);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of state.sockets) socket.resetAndDestroy();
  };
  return {
    port: server.address().port,
    cut,
    delay: (ms) => void (state.delayMs = ms),
    stall() {
      state.stalled = true;
      for (const socket of state.sockets) socket.pause();
    },
    resume() {
      state.stalled = false;
      for (const socket of state.sockets) socket.resume();
    },
    vanish() {
      state.vanished = true;
      for (const link of state.links) link.gone = true;
    },
    appear: () => void (state.vanished = false),
    async stop() {
      cut();
      await new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Hands what `from` says on to `to`, and its end. A reset of one side resets the other. */
function join(from, to, state, link) {
  const waiting = [];
  let timer;
  const flush = () => {
    timer = undefined;
    const now = performance.now();
    while (waiting.length > 0 && waiting[0].at <= now) {
      const { chunk } = waiting.shift();
      if (to.destroyed) continue;
      if (chunk) to.write(chunk);
      else to.end();
    }
    if (waiting.length > 0) timer = setTimeout(flush, waiting[0].at - performance.now());
  };
  const forward = (chunk) => {
    if (link.gone) return;
    waiting.push({ chunk, at: performance.now() + state.delayMs });
    if (!timer) flush();
  };
  state.sockets.add(from);
  if (state.stalled) from.pause();
  from.on('data', forward);
  from.on('end', () => forward(undefined));
  from.on('error', () => link.gone || to.resetAndDestroy());
  from.on('close', (failed) => {
    state.sockets.delete(from);
    clearTimeout(timer);
    if (link.gone) return;
    if (failed) to.resetAndDestroy();
    else if (!to.destroyed) to.end();
  });
}
