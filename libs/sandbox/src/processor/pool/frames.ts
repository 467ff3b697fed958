import type { Duplex } from 'node:stream';

/** Bytes that one frame may have: the largest call or reply is 16 Mi characters, 48 MiB of UTF-8. */
export const MAX_FRAME = 64 * 1024 * 1024;
const LENGTH_BYTES = 4;

/**
 * Writes a text to a stream as a frame: its length in bytes (4 bytes, little-endian), then its UTF-8. Nothing happens
 * where the stream is closed.
 */
export function writeFrame(stream: Duplex, text: string): void {
  if (stream.destroyed || stream.writableEnded) return;
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + Buffer.byteLength(text));
  frame.writeUInt32LE(frame.length - LENGTH_BYTES);
  frame.write(text, LENGTH_BYTES);
  stream.write(frame);
}

/** Puts frames together again, whoever wrote them: it never throws, and holds no more than one of them. */
export class FrameReader {
  private chunks: Buffer[] = [];
  private bytes = 0;
  private broken = false;

  constructor(
    private readonly onFrame: (text: string) => void,
    /** Called once, for a frame that is too long; everything after it is dropped. */
    private readonly onBroken: () => void,
    private readonly maxBytes = MAX_FRAME,
  ) {}

  push(chunk: Buffer): void {
    if (this.broken) return;
    this.chunks.push(chunk);
    this.bytes += chunk.length;
    for (let length = this.nextLength(); length !== undefined; length = this.nextLength()) {
      if (length > this.maxBytes) return this.giveUp();
      if (this.bytes < LENGTH_BYTES + length) return;
      this.onFrame(this.take(length));
    }
  }

  private nextLength(): number | undefined {
    if (this.bytes < LENGTH_BYTES) return undefined;
    if ((this.chunks[0] as Buffer).length < LENGTH_BYTES) this.chunks = [Buffer.concat(this.chunks)];
    return (this.chunks[0] as Buffer).readUInt32LE();
  }

  private take(length: number): string {
    const whole = this.chunks.length === 1 ? (this.chunks[0] as Buffer) : Buffer.concat(this.chunks);
    const end = LENGTH_BYTES + length;
    this.chunks = end < whole.length ? [whole.subarray(end)] : [];
    this.bytes -= end;
    return whole.toString('utf8', LENGTH_BYTES, end);
  }

  private giveUp(): void {
    this.broken = true;
    this.chunks = [];
    this.onBroken();
  }
}
