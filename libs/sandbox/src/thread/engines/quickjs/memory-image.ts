/** Where the wasm build keeps its parts. Addresses in bytes. */
export interface MemoryLayout {
  /** End of the static data, and the lowest address the C stack can reach: it grows downwards from `stackHigh`. */
  readonly stackLow: number;
  /** Where the C stack starts and the heap begins. */
  readonly stackHigh: number;
  /** Where dlmalloc keeps `max_footprint`, how far the heap ever reached; `undefined` where it was not found. */
  readonly maxFootprint: number | undefined;
}

/** The state of a sandbox's memory between two calls into it: all that is not zero. The C stack is empty then. */
export interface MemoryImage {
  /** [0, stackLow) */
  readonly statics: Uint8Array;
  /** [stackHigh, last byte that is not zero] */
  readonly heap: Uint8Array;
}

/** Bytes an image holds. */
export function sizeOf(image: MemoryImage): number {
  return image.statics.length + image.heap.length;
}

/** Address after the last byte from `low` on that is not zero. */
function endOfData(buffer: ArrayBuffer, low: number): number {
  const words = new BigUint64Array(buffer);
  let last = words.length - 1;
  while (last * 8 >= low && words[last] === 0n) last--;
  return Math.max((last + 1) * 8, low);
}

/** Copies what is not zero: about 172 KB of 16 MB after engine, context and prelude. */
export function takeImage(buffer: ArrayBuffer, layout: MemoryLayout): MemoryImage {
  return {
    statics: new Uint8Array(buffer.slice(0, layout.stackLow)),
    heap: new Uint8Array(buffer.slice(layout.stackHigh, endOfData(buffer, layout.stackHigh))),
  };
}

/**
 * Bytes of the C stack that are zeroed after a run that ended well. QuickJS refuses to use more than its limit of 256 KiB;
 * the rest is slack for the native functions called at that depth.
 */
const STACK_IN_USE = 384 * 1024;

/**
 * Makes the memory equal to the image, byte for byte: 5 us, against 138 us for a copy of everything.
 *
 * The heap is zeroed as far as it ever reached since the image was written back (`max_footprint`, itself part of the
 * image): dlmalloc gives memory back after large frees, so "as far as it reaches now" would leave remains behind.
 */
export function restoreImage(buffer: ArrayBuffer, image: MemoryImage, layout: MemoryLayout, wholeStack: boolean): void {
  const memory = new Uint8Array(buffer);
  const end = layout.stackHigh + image.heap.length;
  const reach = reachOf(buffer, layout);
  memory.set(image.statics, 0);
  memory.fill(0, wholeStack ? layout.stackLow : layout.stackHigh - STACK_IN_USE, layout.stackHigh);
  memory.set(image.heap, layout.stackHigh);
  if (reach > end) memory.fill(0, end, reach);
}

/** How far the heap ever reached; it starts at `stackHigh`. */
function reachOf(buffer: ArrayBuffer, layout: MemoryLayout): number {
  const footprint = heapFootprint(buffer, layout);
  return Math.min(footprint === undefined ? Infinity : layout.stackHigh + footprint, buffer.byteLength);
}

/** The most bytes of heap in use since the image was written back, where the build is known well enough to tell. */
export function heapFootprint(buffer: ArrayBuffer, layout: MemoryLayout): number | undefined {
  return layout.maxFootprint === undefined ? undefined : new Uint32Array(buffer, layout.maxFootprint, 1)[0];
}

const PROBE = 300_000;

/**
 * Finds `max_footprint` by watching one large allocation in a fresh instance: of the words of the static data,
 * `footprint` and `max_footprint` are the neighbours that hold the same number and grow by the same amount.
 */
export function findMaxFootprint(
  buffer: ArrayBuffer,
  allocate: (bytes: number) => void,
  stackLow: number,
): number | undefined {
  const words = new Uint32Array(buffer, 0, stackLow >>> 2);
  const before = words.slice();
  allocate(PROBE);
  const at = before.findIndex((word, i) => {
    const now = words[i] as number;
    return now - word >= PROBE / 2 && now - word < PROBE * 2 && now === words[i + 1] && before[i + 1] === word;
  });
  return at < 0 ? undefined : (at + 1) * 4;
}

/** A hash of all of a memory: two 32-bit multiplicative ones over the words that are not zero, and their places. */
export function hashMemory(buffer: ArrayBuffer): string {
  const words = new Uint32Array(buffer);
  let a = 0x811c9dc5;
  let b = 0x9e3779b1;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as number;
    if (word === 0) continue;
    a = Math.imul(a ^ word, 0x01000193) + i;
    b = Math.imul(b + i, 0x85ebca6b) ^ word ^ (b >>> 13);
  }
  return `${(a >>> 0).toString(16).padStart(8, '0')}${(b >>> 0).toString(16).padStart(8, '0')}`;
}
