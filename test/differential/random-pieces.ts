/** Cuts what is sent at random bytes, the same ones for the same seed. */

import type { Pieces } from './wire-client.ts';

/** Most pieces are of a few bytes, so that every header is cut somewhere; some are long. */
const LENGTHS = [1, 1, 2, 3, 4, 5, 7, 11, 64, 900];

export function randomPieces(seed: number): Pieces {
  let state = seed >>> 0;
  return function* pieces(bytes) {
    for (let at = 0; at < bytes.length; ) {
      // A linear congruential generator: it only has to be different for each seed.
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      const length = LENGTHS[(state >>> 8) % LENGTHS.length] ?? 1;
      yield bytes.subarray(at, at + length);
      at += length;
    }
  };
}
