// What a run is told as.

const seconds = (ms) => `${(ms / 1_000).toFixed(1)} s`;

/**
 * For each injection, the milliseconds from its end until every tenant had an effect of an order that was committed after
 * it; `undefined` where the run ended before. With many injections at once it is charged with its neighbours', too.
 */
export function recoveries(injections, finished, tenants) {
  return injections.map(({ kind, on, healedAt }) => {
    const firsts = tenants.map((tenant) =>
      Math.min(
        ...finished
          .filter((action) => action.tenant === tenant && action.createdAt >= healedAt)
          .map(({ finishedAt }) => finishedAt),
      ),
    );
    const ms = Math.max(...firsts) - healedAt;
    return { kind, on, ms: Number.isFinite(ms) ? ms : undefined };
  });
}

/** The table of injections by kind and target, and what is left to say, as lines. */
export function tell({
  injections,
  skipped,
  figures,
  finished,
  tenants,
  driver,
  actors,
  graceful,
  settledMs,
  elapsedMs,
}) {
  const recovered = recoveries(injections, finished, tenants);
  const waits = finished.map(({ createdAt, finishedAt }) => finishedAt - createdAt).sort((a, b) => a - b);
  const at = (share) => waits[Math.min(waits.length - 1, Math.floor(share * waits.length))] ?? 0;
  const stops = actors.flatMap(({ stops: own }) => own);
  return [
    `injections    ${injections.length}${skipped > 0 ? ` (${skipped} left out)` : ''}, in ${seconds(elapsedMs)}`,
    ...byKind(recovered),
    `orders        ${figures.orders} committed, ${driver.acknowledged} acknowledged, ${figures.unacknowledged} committed without an answer; ${driver.unanswered} requests failed`,
    `actions       ${figures.actions}, ${figures.executions} executions kept, ${figures.overtaken} overtaken by a later one`,
    `mails         ${figures.mails}, of them duplicates ${figures.duplicates}`,
    `commit to effect   p50 ${seconds(at(0.5))}, p99 ${seconds(at(0.99))}, longest ${seconds(at(1))}`,
    `longest to recover ${longest(recovered)}; all done ${seconds(settledMs)} after the last injection`,
    `processes     started ${sum(actors, 'starts')} times, ${sum(actors, 'failedStarts')} starts failed while a server was away; SIGTERM took at most ${seconds(Math.max(0, ...stops))}`,
    ...(graceful
      ? [
          `graceful stop drained ${seconds(graceful.drainedMs)}, then another processor had the action after ${Math.round(graceful.takenOverMs)} ms`,
        ]
      : []),
  ];
}

function byKind(recovered) {
  const groups = Map.groupBy
    ? Map.groupBy(recovered, nameOf)
    : recovered.reduce((map, item) => map.set(nameOf(item), [...(map.get(nameOf(item)) ?? []), item]), new Map());
  return [...groups]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([name, list]) => {
      const times = list.flatMap(({ ms }) => (ms === undefined ? [] : [ms])).sort((a, b) => a - b);
      const recovery =
        times.length > 0 ? `recovered in ${seconds(times[times.length >> 1])}, at most ${seconds(times.at(-1))}` : '';
      return `  ${String(list.length).padStart(3)} × ${name.padEnd(34)} ${recovery}`;
    });
}

const nameOf = ({ kind, on }) => `${kind} ${on.replace(/-\d/, '')}`;

function longest(recovered) {
  const worst = recovered.filter(({ ms }) => ms !== undefined).sort((a, b) => b.ms - a.ms)[0];
  return worst ? `${seconds(worst.ms)} (${worst.kind} ${worst.on})` : 'nothing to measure';
}

const sum = (actors, key) => actors.reduce((total, actor) => total + actor[key], 0);
