/**
 * What a hold keeps of people's data: sealed under the key of the session that asked, or of who asked.
 *
 * The form is that of bodies (spec/ledger.md, section 3); the additional data names the hold and the
 * place, so that what was sealed for one opens in no other. What is shredded takes it along.
 */

import { createHash, createSecretKey } from 'node:crypto';
import { SEAL_NONCE_BYTES, sealBody, unsealText } from '../audit/sealed-body.ts';
import { CountersignError } from '../core/errors.ts';
import type { ScopeKeys } from '../core/ledger-port.ts';

export interface SealPlace {
  readonly holdId: string;
  /** Whose key seals it. */
  readonly scope: string;
  readonly what: 'request' | 'reason' | 'opening' | 'review' | `comment ${string}`;
}

export interface SealOptions {
  readonly keys: Pick<ScopeKeys, 'find'>;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** Undefined where the session was shredded: then nothing of it is kept. */
export async function sealText(
  options: SealOptions,
  place: SealPlace,
  text: string,
): Promise<Uint8Array | undefined> {
  const key = await options.keys.find(place.scope);
  if (key === undefined) return undefined;
  const secret = createSecretKey(key);
  key.fill(0);
  return sealBody(
    text,
    Buffer.from(placeHash(place), 'hex'),
    place.scope,
    secret,
    options.randomBytes(SEAL_NONCE_BYTES),
  );
}

/** Undefined where the session was shredded; STORE_FAILED where it is not what was sealed. */
export async function openText(
  options: Pick<SealOptions, 'keys'>,
  place: SealPlace,
  sealed: Uint8Array,
): Promise<string | undefined> {
  const key = await options.keys.find(place.scope);
  if (key === undefined) return undefined;
  try {
    return unsealText(sealed, placeHash(place), key);
  } catch (error) {
    const reason = `what is sealed of hold ${place.holdId} does not open`;
    throw new CountersignError('STORE_FAILED', { reason }, { cause: error });
  } finally {
    key.fill(0);
  }
}

function placeHash({ holdId, what }: SealPlace): string {
  return createHash('sha256').update(`countersign/hold/v1\0${holdId}\0${what}`).digest('hex');
}
