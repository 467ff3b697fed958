// What is going to be injected, and when: made from the seed alone, before anything starts, so a seed repeats it.
import { seeded } from './random.mjs';

const PROCESSES = ['api', 'processor-1', 'processor-2'];

/** Kinds of injection. `on`: what it may hit; `lasts`: milliseconds, from and to; `only`: with the queues there. */
const KINDS = [
  { kind: 'kill -9', weight: 3, on: PROCESSES, lasts: [0, 1_500] },
  { kind: 'SIGTERM', weight: 2, on: ['processor-1', 'processor-2'], lasts: [0, 1_000] },
  { kind: 'restart', weight: 1, on: ['postgres'], lasts: [0, 1_000] },
  { kind: 'kill -9', weight: 1, on: ['postgres'], lasts: [200, 2_000] },
  { kind: 'restart', weight: 1, on: ['redis'], lasts: [0, 1_000], only: 'redis' },
  { kind: 'kill -9', weight: 1, on: ['redis'], lasts: [500, 7_000], only: 'redis' },
  { kind: 'FLUSHALL', weight: 2, on: ['redis'], lasts: [0, 0], only: 'redis' },
  { kind: 'cut', weight: 3, on: 'links', lasts: [0, 0] },
  { kind: 'delay', weight: 2, on: 'links', lasts: [1_000, 6_000] },
  { kind: 'stall', weight: 2, on: 'links', lasts: [500, 9_000] },
  { kind: 'stall and cut', weight: 2, on: 'links', lasts: [500, 9_000] },
  { kind: 'vanish', weight: 1, on: 'links', lasts: [0, 4_000] },
  { kind: 'clock step', weight: 1, on: PROCESSES, lasts: [1_000, 8_000] },
  { kind: 'refuse mails', weight: 1, on: ['mail server'], lasts: [0, 0] },
];

/** Names of the links there are: `<process> ~ <server>`. */
export function linksOf(queue) {
  const servers = queue === 'redis' ? ['postgres', 'redis'] : ['postgres'];
  const links = PROCESSES.flatMap((process) => servers.map((server) => `${process} ~ ${server}`));
  return [...links, 'processor-1 ~ mail server', 'processor-2 ~ mail server'];
}

/**
 * The injections of a run, in order: `{ atMs, kind, on, lastsMs, by }`. `by` is the kind's own measure: milliseconds of
 * delay or of a clock's step, mails refused. On average one each `everyMs`.
 */
export function planOf({ seed, queue, durationMs, everyMs }) {
  const random = seeded(seed);
  const kinds = KINDS.filter(({ only }) => only === undefined || only === queue);
  const plan = [];
  for (let atMs = 1_000; ; atMs += random.between(0.1, 1.9) * everyMs) {
    const { kind, on, lasts } = random.pick(kinds);
    const target = random.pick(on === 'links' ? linksOf(queue) : on);
    const lastsMs = Math.round(random.between(...lasts));
    const by = measureOf(kind, random);
    if (atMs + lastsMs > durationMs) return plan;
    plan.push({ atMs: Math.round(atMs), kind, on: target, lastsMs, by });
  }
}

function measureOf(kind, random) {
  if (kind === 'delay') return random.whole(20, 400);
  if (kind === 'clock step') return random.whole(-20_000, 20_000);
  return kind === 'refuse mails' ? random.whole(1, 4) : 0;
}
