/** Random bytes in small pieces of one large draw: a call to the system for each piece costs more than what it is for. */

import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 65_536;

/** Gives so many random bytes, which are the caller's alone: no piece is handed out twice, or kept. */
export function pooledRandom(): (length: number) => Uint8Array {
  const pool = new Uint8Array(POOL_BYTES);
  let at = pool.length;
  return (length) => {
    if (length > pool.length) return randomFillSync(new Uint8Array(length));
    if (at + length > pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    const piece = pool.slice(at, at + length);
    // What was handed out must not be found in the pool again.
    pool.fill(0, at, at + length);
    at += length;
    return piece;
  };
}
