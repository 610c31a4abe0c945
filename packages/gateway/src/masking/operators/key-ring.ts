/**
 * The keys of masks: one that makes masks, and former ones that recognise and reveal what they made.
 *
 * Spec: spec/masking-operators.md, section 3. Every purpose has a key of its own,
 * HKDF-SHA-256(secret, salt empty, info "countersign/masking/v1" ‖ 0x00 ‖ purpose).
 */

import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { CountersignError } from '../../core/errors.ts';
import { MASKING_OPERATOR_LIMITS } from '../../core/masking-limits.ts';
import type { Secret } from '../../core/secret.ts';

/** One generation of the installation's masking key. */
export interface MaskingKey {
  /** 0 to 255; stands in tokens and hashes. */
  readonly id: number;
  /** 32 random bytes. */
  readonly secret: Secret<Uint8Array>;
}

/** What is derived of one {@link MaskingKey}; an HMAC with a KeyObject takes a fifth of one with bytes. */
export interface PurposeKeys {
  readonly id: number;
  /** HMAC over values. */
  readonly hash: KeyObject;
  /** HMAC over what was made, so that it is recognised. */
  readonly check: KeyObject;
  /** AES-256-SIV: two keys of 32 bytes. */
  readonly token: Uint8Array;
  /** FF1 over AES-256. */
  readonly permutation: Uint8Array;
  /** HMAC that picks from lists. */
  readonly pick: KeyObject;
}

const SECRET_BYTES = 32;
const ID_MAX = 255;

export class MaskingKeyRing {
  /** Makes masks. */
  readonly current: PurposeKeys;
  /** The current one first, then former ones. */
  readonly all: readonly PurposeKeys[];

  constructor(current: MaskingKey, former: readonly MaskingKey[] = []) {
    const keys = [current, ...former];
    if (keys.length > MASKING_OPERATOR_LIMITS.keysMax) {
      throw invalid(`at most ${MASKING_OPERATOR_LIMITS.keysMax} masking keys are kept, not ${keys.length}`);
    }
    if (new Set(keys.map(({ id }) => id)).size !== keys.length) throw invalid('two masking keys have one id');
    this.current = purposeKeys(current);
    this.all = [this.current, ...former.map(purposeKeys)];
  }

  /** The key of an id, where the ring has it. */
  find(id: number): PurposeKeys | undefined {
    return this.all.find((key) => key.id === id);
  }
}

function purposeKeys({ id, secret }: MaskingKey): PurposeKeys {
  const bytes = secret.reveal();
  if (bytes.length !== SECRET_BYTES) {
    throw invalid(`a masking key has ${SECRET_BYTES} bytes, not ${bytes.length}`);
  }
  if (!Number.isInteger(id) || id < 0 || id > ID_MAX) {
    throw invalid(`the id of a masking key is 0 to ${ID_MAX}, not ${id}`);
  }
  return {
    id,
    hash: createSecretKey(derive(bytes, 'hash', 32)),
    check: createSecretKey(derive(bytes, 'check', 32)),
    token: derive(bytes, 'token', 64),
    permutation: derive(bytes, 'permutation', 32),
    pick: createSecretKey(derive(bytes, 'pick', 32)),
  };
}

function derive(secret: Uint8Array, purpose: string, bytes: number): Uint8Array {
  const info = `countersign/masking/v1\0${purpose}`;
  return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), info, bytes));
}

function invalid(reason: string): CountersignError {
  return new CountersignError('CONFIG_INVALID', { reason });
}
