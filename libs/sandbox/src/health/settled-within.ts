/** What became of an attempt: its value, or why there is none. */
export type Settled<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string };

/** Runs `attempt` and waits for it at most `timeoutMs`. Never rejects. */
export async function settledWithin<T>(timeoutMs: number, attempt: () => Promise<T>): Promise<Settled<T>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Settled<T>>((resolve) => {
    timer = setTimeout(() => resolve({ ok: false, message: `no answer within ${timeoutMs} ms` }), timeoutMs);
  });
  const settled = (async (): Promise<Settled<T>> => {
    try {
      return { ok: true, value: await attempt() };
    } catch (error) {
      return { ok: false, message: error instanceof Error ? error.message : String(error) };
    }
  })();
  try {
    return await Promise.race([settled, late]);
  } finally {
    clearTimeout(timer);
  }
}
