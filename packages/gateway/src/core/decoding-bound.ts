/**
 * How much a content may become when it is decoded (gzip, deflate, br, zstd): whoever decodes says what went in
 * and what came out, and stops where this throws. RFC 9110, section 8.4.
 */

import { CountersignError } from './errors.ts';
import { DECODING_LIMITS } from './http-body-limits.ts';

export interface DecodingLimits {
  readonly ratioMax: number;
  readonly freeBytesMax: number;
  readonly decodedBytesMax: number;
}

/** One for each content. */
export class DecodingBound {
  readonly #limits: DecodingLimits;
  #encodedBytes = 0;
  #decodedBytes = 0;

  constructor(limits: DecodingLimits = DECODING_LIMITS) {
    this.#limits = limits;
  }

  /** Bytes that are given to the decoder, before they are. */
  encoded(bytes: number): void {
    this.#encodedBytes += bytes;
  }

  /** Bytes that came of them; throws LIMIT_EXCEEDED where they are too many. */
  decoded(bytes: number): void {
    this.#decodedBytes += bytes;
    const { ratioMax, freeBytesMax, decodedBytesMax } = this.#limits;
    const actual = this.#decodedBytes;
    if (actual > decodedBytesMax) {
      throw new CountersignError('LIMIT_EXCEEDED', {
        limit: 'decoding.decodedBytesMax',
        allowed: decodedBytesMax,
        actual,
      });
    }
    if (actual > freeBytesMax && actual > this.#encodedBytes * ratioMax) {
      const ratio = Math.ceil(actual / Math.max(1, this.#encodedBytes));
      throw new CountersignError('LIMIT_EXCEEDED', {
        limit: 'decoding.ratioMax',
        allowed: ratioMax,
        actual: ratio,
      });
    }
  }
}
