/**
 * AWS Signature Version 4: a secret access key and a text that is signed → the signature.
 *
 * Spec: as canonical-request.ts. Key = HMAC(HMAC(HMAC(HMAC("AWS4" secret, date), region), service), "aws4_request").
 */

import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../../../core/secret.ts';
import {
  canonicalRequest,
  type SignatureScope,
  type SignedParts,
  stringToSign,
} from './canonical-request.ts';

/** 32 bytes. */
export function signatureOf(secret: Secret<string>, scope: SignatureScope, text: string): Uint8Array {
  const dateKey = hmac(`AWS4${secret.reveal()}`, scope.date);
  const key = hmac(hmac(hmac(dateKey, scope.region), scope.service), 'aws4_request');
  return hmac(key, text);
}

/** The signature of a request, 64 hex digits. */
export function signParts(
  secret: Secret<string>,
  scope: SignatureScope,
  time: string,
  parts: SignedParts,
): string {
  const text = stringToSign(time, scope, canonicalRequest(parts, scope.service));
  return Buffer.from(signatureOf(secret, scope, text)).toString('hex');
}

/** Whether a signature is of this secret, in a time that says nothing of how much of it is right. */
export function isSignedBy(
  secret: Secret<string>,
  signed: { readonly scope: SignatureScope; readonly time: string; readonly signature: Uint8Array },
  parts: SignedParts,
): boolean {
  const { scope, time, signature } = signed;
  const text = stringToSign(time, scope, canonicalRequest(parts, scope.service));
  const expected = signatureOf(secret, scope, text);
  return signature.length === expected.length && timingSafeEqual(signature, expected);
}

function hmac(key: Uint8Array | string, text: string): Uint8Array {
  return new Uint8Array(createHmac('sha256', key).update(text, 'utf8').digest());
}
