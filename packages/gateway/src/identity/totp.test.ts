import { describe, expect, it } from 'vitest';
import { Secret } from '../core/secret.ts';
import { testingOnlyCode } from './testing-codes.ts';
import { base32, hotp, otpauthURI, stepOf, stepOfCode } from './totp.ts';

const ASCII = Buffer.from('12345678901234567890', 'ascii');

describe('one-time codes', () => {
  it.each(
    [755224, 287082, 359152, 969429, 338314, 254676, 287922, 162583, 399871, 520489].map(
      (code, counter) => [counter, String(code)] as const,
    ),
  )('are those of RFC 4226, appendix D: counter %i', (counter, code) => {
    expect(hotp(ASCII, counter, 6)).toBe(code);
  });

  it.each([
    [59, '94287082'],
    [1_111_111_109, '07081804'],
    [1_111_111_111, '14050471'],
    [1_234_567_890, '89005924'],
    [2_000_000_000, '69279037'],
    [20_000_000_000, '65353130'],
  ])('are those of RFC 6238, appendix B, SHA-1: second %i', (second, code) => {
    expect(hotp(ASCII, stepOf(second * 1_000_000), 8)).toBe(code);
  });

  it('are good in their own step, the one before and the one after, and in no other', () => {
    const secret = new Secret(new Uint8Array(ASCII));
    const nowUs = 2_000_000_000_000_000;
    const now = stepOf(nowUs);
    for (let step = now - 5; step <= now + 5; step++) {
      const found = stepOfCode(secret, new Secret(hotp(ASCII, step, 6)), nowUs);
      expect(found).toBe(Math.abs(step - now) <= 1 ? step : undefined);
    }
  });

  it.each(['', '12345', '1234567', 'abcdef', '１２３４５６', '\u0000'.repeat(6), '-1'])(
    'are six digits and nothing else: %j',
    (text) => {
      expect(stepOfCode(new Secret(new Uint8Array(ASCII)), new Secret(text), 59_000_000)).toBeUndefined();
    },
  );

  it('do not look before the first step', () => {
    expect(stepOfCode(new Secret(new Uint8Array(ASCII)), new Secret('755224'), 0)).toBe(0);
  });
});

describe('the secret as text', () => {
  it.each([
    ['', ''],
    ['f', 'MY'],
    ['fo', 'MZXQ'],
    ['foo', 'MZXW6'],
    ['foob', 'MZXW6YQ'],
    ['fooba', 'MZXW6YTB'],
    ['foobar', 'MZXW6YTBOI'],
  ])('is that of RFC 4648, section 10, without padding: %j', (text, expected) => {
    expect(base32(Buffer.from(text))).toBe(expected);
  });

  it('is in a URI that an app reads, and the URI prints as a secret', () => {
    const uri = otpauthURI('ana@example.com', new Secret(new Uint8Array(ASCII)));
    expect(uri.reveal()).toBe(
      'otpauth://totp/Countersign:ana%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Countersign&algorithm=SHA1&digits=6&period=30',
    );
    expect(String(uri)).not.toContain('GEZD');
    expect(testingOnlyCode(uri.reveal(), 59_000_000)).toBe('287082');
  });
});
