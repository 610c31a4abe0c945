/** A content that is larger than memory should need: the same bytes at both ends, and nothing that compresses away. */

import { createCipheriv } from 'node:crypto';

const PIECE_BYTES = 65_536;
/** Long enough that no window of a compressor finds it again. */
const POOL_BYTES = 4_194_304;

/** So many bytes in pieces, the same at every call. */
export function* sampleBytes(bytes: number): Generator<Buffer> {
  pool ??= makePool();
  for (let at = 0; at < bytes; at += PIECE_BYTES) {
    const from = at % POOL_BYTES;
    yield pool.subarray(from, from + Math.min(PIECE_BYTES, bytes - at));
  }
}

let pool: Buffer | undefined;

/** Random, and without a random seed; six bits of each byte, so that it compresses a little, as data does. */
function makePool(): Buffer {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16));
  const bytes = cipher.update(Buffer.alloc(POOL_BYTES));
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = (bytes[at] ?? 0) & 0x3f;
  return bytes;
}
