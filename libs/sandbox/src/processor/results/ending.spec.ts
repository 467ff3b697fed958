import { OUTCOMES, type RunResult } from '../../protocol/run.js';
import { endingOf, RETRY_LATER } from './ending.js';

const usage = { cpuMs: 1, wallMs: 1, waitMs: 0, calls: 0 };
const result = (outcome: RunResult['outcome'], code?: string): RunResult => ({
  outcome,
  logs: [],
  usage,
  ...(code ? { error: { name: 'E', message: 'm', code } } : {}),
});
const rules = { attemptsMade: 0, retries: 0, attempts: 10 };

describe('the ending of a run', () => {
  it.each(OUTCOMES)('after %s is decided by a table', (outcome) => {
    const expected = { ok: 'done', internalError: 'fault' }[outcome as string] ?? 'failed';
    expect(endingOf(result(outcome), rules).kind).toBe(expected);
  });

  it('is another attempt while the script has retries left', () => {
    expect(endingOf(result('exceededCpu'), { ...rules, retries: 2, attemptsMade: 1 }).kind).toBe('again');
    expect(endingOf(result('exceededCpu'), { ...rules, retries: 2, attemptsMade: 2 }).kind).toBe('failed');
    expect(endingOf(result('ok'), { ...rules, retries: 2 }).kind).toBe('done');
  });

  it('is another attempt when the script asks for it, until the attempts are used up', () => {
    expect(endingOf(result('exception', RETRY_LATER), { ...rules, attemptsMade: 8 }).kind).toBe('again');
    expect(endingOf(result('exception', RETRY_LATER), { ...rules, attemptsMade: 9 }).kind).toBe('failed');
  });
});
