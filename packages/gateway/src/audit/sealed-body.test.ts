/** Bodies are sealed with AES-256-GCM as NIST publishes it, each under its own leaf's commitment. */

import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readVectors } from '../../../../test/conformance/vectors.ts';
import { keyIdOf, sealBody, unsealText } from './sealed-body.ts';

const FIELDS = ['key', 'nonce', 'aad', 'plaintext', 'ciphertext', 'tag'];
const KEY_ID = 'ses_00000000000000000000000000';

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}

describe('a sealed body', () => {
  const vectors = readVectors('ledger/aes-256-gcm.txt', FIELDS).map((vector) =>
    Object.fromEntries(FIELDS.map((field) => [field, vector.one(field)])),
  );

  // A body is a text, and the published plaintexts are none: what is sealed is compared bit by bit.
  it.each(vectors)('is what NIST has for the nonce $nonce', (vector) => {
    const [key, nonce, aad, plaintext, ciphertext, tag] = FIELDS.map((field) => bytesOf(vector[field] ?? ''));
    if (key === undefined || nonce === undefined || aad === undefined) throw new Error('no vector');
    const zeros = '\0'.repeat(plaintext?.length ?? 0);
    const sealed = sealBody(zeros, aad, KEY_ID, createSecretKey(key), nonce);
    const data = Buffer.from(sealed.subarray(2 + KEY_ID.length + nonce.length));
    // GCM is a stream: the key stream is what zeros give, and the published text is under it.
    const keyStream = data.subarray(0, zeros.length);
    expect(keyStream.map((byte, i) => byte ^ (plaintext?.[i] ?? 0))).toEqual(ciphertext);
    // The tag is over the ciphertext, so that it is the published one where there is none.
    expect(zeros.length > 0 || data.equals(tag ?? Buffer.alloc(0))).toBe(true);
    expect(unsealText(sealed, aad.toString('hex'), key)).toBe(zeros);
    expect(keyIdOf(sealed)).toBe(KEY_ID);
  });

  it('does not open with a changed bit, under another commitment, or with another key', () => {
    const key = Buffer.alloc(32, 1);
    const commitment = Buffer.alloc(32, 2);
    const sealed = sealBody('{"a":1}', commitment, KEY_ID, createSecretKey(key), Buffer.alloc(12, 3));
    expect(unsealText(sealed, commitment.toString('hex'), key)).toBe('{"a":1}');
    for (let at = 2 + KEY_ID.length; at < sealed.length; at++) {
      const changed = Uint8Array.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => unsealText(changed, commitment.toString('hex'), key)).toThrow(/authenticate/);
    }
    expect(() => unsealText(sealed, '00'.repeat(32), key)).toThrow(/authenticate/);
    expect(() => unsealText(sealed, commitment.toString('hex'), Buffer.alloc(32))).toThrow(/authenticate/);
  });
});
