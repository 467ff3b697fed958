/** One rule of a contract: `run` rejects when an implementation breaks it. Any test runner can run it. */
export interface ContractCase {
  /** The rule, as a fact. */
  readonly title: string;
  run(): Promise<void>;
}

/** A rule that is checked on a fixture made for it. */
export interface ContractRule<Fixture> {
  readonly title: string;
  readonly run: (fixture: Fixture) => Promise<void>;
}

/** Closes what a case had open. */
export interface Disposable {
  dispose(): Promise<void>;
}

/** Gives every rule a fixture of its own, and disposes of it. */
export function casesOf<Fixture extends Disposable>(
  rules: readonly ContractRule<Fixture>[],
  create: () => Promise<Fixture>,
): readonly ContractCase[] {
  return rules.map(({ title, run }) => ({
    title,
    async run() {
      const fixture = await create();
      try {
        await run(fixture);
      } finally {
        await fixture.dispose();
      }
    },
  }));
}

/** Polls until `condition` holds; after `timeoutMs` resolves to whether it does at last. */
export async function eventually(condition: () => boolean | Promise<boolean>, timeoutMs = 5_000): Promise<boolean> {
  const end = Date.now() + timeoutMs;
  while (Date.now() < end) {
    if (await condition()) return true;
    await pause(10);
  }
  return await condition();
}

/** Resolves after `ms`: only to show that something does NOT happen meanwhile. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
