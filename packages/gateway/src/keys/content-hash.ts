/**
 * The keyed hash of texts that leaves tell apart and do not show: queries and documents of rerank calls.
 *
 * Spec: spec/events.md, "Rerank calls". HMAC-SHA-256 under a subkey of the installation key: the same text has the
 * same hash in every session, and nobody without the key can try what it may have been.
 */

import { createHmac, createSecretKey } from 'node:crypto';
import type { Secret } from '../core/secret.ts';
import { digestKey } from './wrap.ts';

const PURPOSE = 'rerank-content';

/** 64 hex digits. */
export function contentHash(installationKey: Secret<Uint8Array>): (bytes: Uint8Array) => string {
  const derived = digestKey(installationKey, PURPOSE);
  const key = createSecretKey(derived);
  derived.fill(0);
  return (bytes) => createHmac('sha256', key).update(bytes).digest('hex');
}
