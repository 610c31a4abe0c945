/**
 * The name of a person in the log. Spec: spec/ledger.md, section 4.
 *
 * `hex(HMAC-SHA-256(person key, issuer ‖ 0x00 ‖ subject)[0..16])`
 */

import { createHmac } from 'node:crypto';
import type { Secret } from '../core/secret.ts';

/** 32 lower-case hex digits; nobody without the person key can link them to anybody. */
export function pseudonym(personKey: Secret<Uint8Array>, issuer: string, subject: string): string {
  const digest = createHmac('sha256', personKey.reveal()).update(`${issuer}\0${subject}`, 'utf8').digest();
  return digest.subarray(0, 16).toString('hex');
}
