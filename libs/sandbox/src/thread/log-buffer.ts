import type { LogTail } from '../protocol/log-tail.js';
import type { LogLevel, LogLine } from '../protocol/run.js';

/** Bytes counted for a line beside its text. */
const LINE_OVERHEAD = 16;

/** The latest lines of a run's log that fit into `maxBytes`; the oldest are dropped first. */
export class LogBuffer {
  private readonly lines: LogLine[] = [];
  private sizes: number[] = [];
  private first = 0;
  private bytes = 0;

  constructor(
    private readonly maxBytes: number,
    /** Gets every line, too. */
    private readonly tail?: LogTail,
  ) {}

  add(level: LogLevel, text: string): void {
    const message = this.fit(text);
    const size = Buffer.byteLength(message) + LINE_OVERHEAD;
    this.lines.push({ level, message });
    this.tail?.add(level, message, size);
    this.sizes.push(size);
    this.bytes += size;
    while (this.bytes > this.maxBytes && this.first < this.lines.length) {
      this.bytes -= this.sizes[this.first] as number;
      this.first++;
    }
    if (this.first > 1000) this.compact();
  }

  /** The lines that are left, oldest first. */
  kept(): LogLine[] {
    return this.lines.slice(this.first);
  }

  /** A line longer than the whole log keeps its beginning. */
  private fit(text: string): string {
    const room = Math.max(this.maxBytes - LINE_OVERHEAD, 0);
    if (text.length * 3 <= room || Buffer.byteLength(text) <= room) return text;
    return Buffer.from(text)
      .subarray(0, room)
      .toString()
      .replace(/\ufffd$/, '');
  }

  private compact(): void {
    this.lines.splice(0, this.first);
    this.sizes = this.sizes.slice(this.first);
    this.first = 0;
  }
}
