import { setImmediate as turn } from 'node:timers/promises';
import type { QueueBackend } from '../../queue/queue-backend.js';
import { LineLook } from './line-look.js';

const lookInto = (line: string[], isOurs = (_tenantId: string): boolean => false) => {
  const ring = {
    take: async () => line.splice(0, 1),
    putBack: async (tenantIds: readonly string[]) => void line.unshift(...tenantIds),
  };
  return new LineLook({ ring } as unknown as QueueBackend, isOurs);
};

/** What the look says once it had time to look. */
async function seen(look: LineLook): Promise<boolean> {
  look.isEmpty();
  await turn();
  return look.isEmpty();
}

describe('a look into the line', () => {
  it('knows nothing before it has looked', () => {
    expect(lookInto([]).isEmpty()).toBe(false);
  });

  it('finds an empty line empty', async () => {
    expect(await seen(lookInto([]))).toBe(true);
  });

  it('leaves a tenant of others in its place', async () => {
    const line = ['first', 'second'];
    expect(await seen(lookInto(line))).toBe(false);
    expect(line).toEqual(['first', 'second']);
  });

  it('takes out a tenant that this process serves', async () => {
    const line = ['ours'];
    expect(await seen(lookInto(line, (tenantId) => tenantId === 'ours'))).toBe(true);
    expect(line).toEqual([]);
  });

  it('counts what it cannot see as somebody who waits', async () => {
    const ring = { take: () => Promise.reject(new Error('away')) };
    expect(await seen(new LineLook({ ring } as unknown as QueueBackend, () => false))).toBe(false);
  });
});
