/**
 * Replaces the key that signs checkpoints; the origin stays.
 *
 * Spec: spec/ledger.md, section 6. The next key is on disk before its leaf, and in force after a
 * checkpoint of the old one covers that leaf. A crash in between is finished at the next start.
 */

import { formatVerifierKey, makeVerifierKey, SIGNATURE_TYPE } from '@countersign/ledger/note';
import { findLeaf } from '../audit/find-leaf.ts';
import type { Ledger } from '../audit/ledger.ts';
import type { LogReader } from '../audit/log-reader.ts';
import type { ScopeKeys } from '../core/ledger-port.ts';
import {
  dropPreparedSigningKey,
  loadPreparedSigningKey,
  prepareSigningKey,
  rotateSigningKey,
  type SigningKeyOptions,
} from '../keys/signing-key.ts';

/** The new verifier key. */
export async function rotateLedgerKey(
  ledger: Ledger,
  options: SigningKeyOptions,
  why: { readonly reason: string; readonly requestedBy: string },
): Promise<string> {
  const next = await prepareSigningKey(options);
  await ledger.rotateKey(next.seed.reveal(), why.reason, why.requestedBy);
  await rotateSigningKey(options, next);
  return ledger.verifierKey;
}

/** Finishes a rotation whose leaf is in the log, and forgets one whose leaf is not. */
export async function finishRotation(
  ledger: Ledger,
  reader: LogReader,
  keys: ScopeKeys,
  origin: string,
  options: SigningKeyOptions,
): Promise<void> {
  const next = await loadPreparedSigningKey(options);
  if (next === undefined) return;
  const vkey = formatVerifierKey(makeVerifierKey(origin, SIGNATURE_TYPE.ed25519, next.publicKey));
  const announced = await findLeaf(reader, keys, {
    types: new Set(['ledger.key.rotate']),
    sinceUs: 0,
    matches: (body) => body['to_vkey'] === vkey,
  });
  if (announced === undefined) {
    await dropPreparedSigningKey(options);
    return;
  }
  await ledger.rotateKey(next.seed.reveal(), '', '', true);
  await rotateSigningKey(options, next);
}
