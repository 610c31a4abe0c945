import { describe, expect, it } from 'vitest';
import { DecodingBound } from './decoding-bound.ts';

const LIMITS = { ratioMax: 100, freeBytesMax: 1_000, decodedBytesMax: 1_000_000 };

describe('what a content becomes when it is decoded', () => {
  it('is bounded by what it was, beyond what is free', () => {
    const bound = new DecodingBound(LIMITS);
    bound.encoded(5);
    bound.decoded(1_000);
    bound.encoded(5);
    expect(() => {
      bound.decoded(1);
    }).toThrow('decoding.ratioMax was exceeded: at most 100, got 101');
  });

  it('is bounded whatever it was', () => {
    const bound = new DecodingBound(LIMITS);
    bound.encoded(1_000_000);
    bound.decoded(1_000_000);
    expect(() => {
      bound.decoded(1);
    }).toThrow('decoding.decodedBytesMax');
  });

  it('may be nothing', () => {
    new DecodingBound().decoded(0);
    expect(() => {
      new DecodingBound().decoded(2_000_000);
    }).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }));
  });
});
