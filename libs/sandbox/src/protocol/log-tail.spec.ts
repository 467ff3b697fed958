import { LogTail } from './log-tail.js';

describe('the tail of a log', () => {
  const written = (...texts: string[]): LogTail => {
    const tail = new LogTail(new SharedArrayBuffer(108));
    tail.begin(7);
    for (const text of texts) tail.add('info', text, Buffer.byteLength(text));
    return tail;
  };
  const messages = (tail: LogTail): string[] => new LogTail(tail.buffer).lines(7).map(({ message }) => message);

  it('is what was written, level and all', () => {
    const tail = written('a\nb\0', '€😀', '');
    tail.add('error', 'bad', 3);
    expect(messages(tail)).toEqual(['a\nb\0', '€😀', '', 'bad']);
    expect(tail.lines(7).at(-1)).toEqual({ level: 'error', message: 'bad' });
  });

  it('drops the oldest lines where it is full', () => {
    const kept = messages(written(...Array.from({ length: 100 }, (_, i) => `line ${i}`)));
    expect(kept.at(-1)).toBe('line 99');
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => `line ${100 - kept.length + i}`));
    expect(kept.length).toBeGreaterThan(4);
  });

  it('leaves out what has no room at all, and makes all of the room for what has', () => {
    expect(messages(written('first', 'x'.repeat(200), 'second'))).toEqual(['first', 'second']);
    expect(messages(written('first', 'second', 'y'.repeat(97)))).toEqual(['y'.repeat(97)]);
  });

  it('is empty for another run', () => {
    const tail = written('a');
    expect(tail.lines(8)).toEqual([]);
    tail.begin(8);
    expect([tail.lines(7), tail.lines(8)]).toEqual([[], []]);
  });

  it('holds what nobody wrote there without complaint', () => {
    const tail = written('a');
    new Uint8Array(tail.buffer).fill(0xff, 8);
    for (const used of [-1, 2 ** 31 - 1, 50]) {
      new Int32Array(tail.buffer)[1] = used;
      expect(tail.lines(7)).toEqual([]);
    }
  });
});
