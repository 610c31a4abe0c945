/** Buffers of blocks that came back from the recorder's thread, kept for the next block of their size. */

import { LIMITS } from '../core/limits.ts';

/** Sizes of a block's buffer: an idle session holds none, a slow one a small one. */
const BLOCK_SIZES: readonly number[] = blockSizes();

/** State is owned by one recorder. */
export class BlockPool {
  readonly #free = new Map<number, ArrayBuffer[]>(BLOCK_SIZES.map((size) => [size, []]));
  #bytes = 0;

  /** A buffer of one of {@link BLOCK_SIZES}; what is in it is of no meaning. */
  take(size: number): ArrayBuffer {
    const found = this.#free.get(size)?.pop();
    if (found === undefined) return new ArrayBuffer(size);
    this.#bytes -= size;
    return found;
  }

  give(buffer: ArrayBuffer): void {
    const size = buffer.byteLength;
    const list = this.#free.get(size);
    if (list === undefined || this.#bytes + size > LIMITS.recording.pooledBytesMax) return;
    this.#bytes += size;
    list.push(buffer);
  }
}

/** The smallest of {@link BLOCK_SIZES} that holds so many bytes, or the largest of them. */
export function blockSizeFor(bytes: number): number {
  return BLOCK_SIZES.find((size) => size >= bytes) ?? LIMITS.recording.blockBytesMax;
}

function blockSizes(): number[] {
  const sizes: number[] = [];
  for (
    let size: number = LIMITS.recording.blockBytesFirst;
    size < LIMITS.recording.blockBytesMax;
    size *= 4
  ) {
    sizes.push(size);
  }
  return [...sizes, LIMITS.recording.blockBytesMax];
}
