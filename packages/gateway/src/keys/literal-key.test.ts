/** What is sealed under the key of literals opens in its place, and in no other. */

import { describe, expect, it } from 'vitest';
import { recordingKey } from '../recording/segment-format.ts';
import { type LiteralPlace, literalKeyOf, openLiterals, sealLiterals } from './literal-key.ts';

const SCOPE = new Uint8Array(32).fill(7);
const NONCE = new Uint8Array(12).fill(1);
const PLACE: LiteralPlace = { session: 'ses_a', what: 'literals' };

describe('literalKeyOf', () => {
  it('is not the key of the scope, nor that of its recording', () => {
    const key = literalKeyOf(SCOPE).export();
    expect(key).not.toEqual(Buffer.from(SCOPE));
    expect(key).not.toEqual(Buffer.from(recordingKey(SCOPE)));
    expect(literalKeyOf(SCOPE).export()).toEqual(key);
  });
});

describe('sealLiterals', () => {
  it.each([0, 1, 4_096, 4_097, 3_000_000])('gives %i bytes back', (length) => {
    const content = Buffer.alloc(length, '\\u0001');
    const sealed = sealLiterals(literalKeyOf(SCOPE), PLACE, content, NONCE);
    expect(Buffer.from(openLiterals(literalKeyOf(SCOPE), PLACE, sealed)).equals(content)).toBe(true);
    // JSON makes six bytes of one: what is long is compressed.
    expect(sealed.length).toBeLessThan(length > 4_096 ? length / 6 + 200 : length + 30);
  });

  it('opens with no other key, session, place or byte', () => {
    const key = literalKeyOf(SCOPE);
    const sealed = sealLiterals(key, PLACE, Buffer.from('ana'), NONCE);
    const other = literalKeyOf(new Uint8Array(32).fill(8));
    expect(() => openLiterals(other, PLACE, sealed)).toThrow('does not open');
    expect(() => openLiterals(key, { ...PLACE, session: 'ses_b' }, sealed)).toThrow('does not open');
    expect(() => openLiterals(key, { ...PLACE, what: 'client 0' }, sealed)).toThrow('does not open');
    const changed = Array.from(sealed, (_, at) =>
      sealed.map((byte, index) => (index === at ? byte ^ 1 : byte)),
    );
    for (const one of changed) expect(() => openLiterals(key, PLACE, one)).toThrow('does not open');
    expect(() => openLiterals(key, PLACE, sealed.subarray(0, 20))).toThrow('does not open');
  });
});
