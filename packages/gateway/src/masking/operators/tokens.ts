/**
 * Tokens and hashes: texts that stand for a value, the same one each time, and are recognised again.
 *
 * Spec: spec/masking-operators.md, section 4. Grammar:
 *   token   = "tok_" entity "_" base32(key id ‖ SIV[16] ‖ ciphertext)      reversible
 *   hash    = "hash_" entity "_" base32(key id ‖ body[16] ‖ check[8])
 *   compact = ("tok_" / "hash_") base32(key id ‖ body[10] ‖ check[4])      where the long form has no room
 * Untrusted: texts that are recognised; their base 32 has one form, and the check is keyed.
 */

import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { aessiv } from '@noble/ciphers/aes.js';
import { MASKING_OPERATOR_LIMITS } from '../../core/masking-limits.ts';
import { base32, bytesOfBase32 } from './base32.ts';
import { joined } from './bytes.ts';
import type { MaskingKeyRing, PurposeKeys } from './key-ring.ts';
import { utf8Bytes } from './text-encoding.ts';

export type Marker = 'tok' | 'hash';

const SIV_BYTES = 16;
const LONG = { body: 16, check: 8 } as const;
const COMPACT = { body: 10, check: 4 } as const;
/** Plaintexts are filled up to a multiple of this, so that a token tells no exact length. */
const BLOCK_BYTES = 16;
/** ISO/IEC 7816-4: one such byte, and zeros. */
const PADDING = 0x80;

/** Finds whatever may be a token or a hash; `entity` is missing in the compact form. */
const FORM = /(tok|hash)_(?:([a-z][a-z0-9_]{0,39})_)?([a-z2-7]{24,800})/g;

/** A token or hash in a text. */
export interface Found {
  readonly marker: Marker;
  /** Undefined in the compact form. */
  readonly entity: string | undefined;
  readonly keyId: number;
  /** Where it stands in the text. */
  readonly start: number;
  readonly end: number;
  /** What a reversible token stands for. */
  readonly plain: Uint8Array | undefined;
}

/** The reversible token of a value; undefined for a value that is too long. */
export function tokenOf(keys: PurposeKeys, entity: string, value: Uint8Array): string | undefined {
  if (value.length > MASKING_OPERATOR_LIMITS.tokenPlainBytesMax) return undefined;
  const sealed = aessiv(keys.token, ...associated(keys, entity)).encrypt(padded(value));
  return `tok_${entity.toLowerCase()}_${base32(joined([Uint8Array.of(keys.id), sealed]))}`;
}

/** The hash of a value. */
export function hashOf(keys: PurposeKeys, entity: string, value: Uint8Array): string {
  return `hash_${entity.toLowerCase()}_${checked(keys, 'hash', entity, value, LONG)}`;
}

/** Where the long form has no room, or the value is too long for a reversible token: 80 bits, checked by 32. */
export function compactOf(keys: PurposeKeys, marker: Marker, entity: string, value: Uint8Array): string {
  return `${marker}_${checked(keys, marker, entity, value, COMPACT)}`;
}

/** Every token and hash of this installation in a text; undefined for each that only looks like one. */
export function* lookForTokens(ring: MaskingKeyRing, text: string): Generator<Found | undefined> {
  const lower = text.toLowerCase();
  // A character whose lower case is longer would shift what was found.
  const searched = lower.length === text.length ? lower : text;
  for (const match of searched.matchAll(FORM)) {
    const found = open(ring, match[1] === 'tok' ? 'tok' : 'hash', match[2], match[3] ?? '');
    const [start, end] = [match.index, match.index + match[0].length];
    yield found === undefined ? undefined : { ...found, start, end };
  }
}

/** HMAC-SHA-256 over parts that cannot run into each other. */
export function keyed(key: KeyObject, purpose: string, entity: string, value: Uint8Array): Uint8Array {
  const hmac = createHmac('sha256', key);
  hmac.update(utf8Bytes(`${purpose}\0${entity}\0`)).update(value);
  return new Uint8Array(hmac.digest());
}

function checked(
  keys: PurposeKeys,
  marker: Marker,
  entity: string,
  value: Uint8Array,
  { body, check }: { readonly body: number; readonly check: number },
): string {
  const bodyBytes = keyed(keys.hash, `${marker}/${body}`, entity, value).subarray(0, body);
  const named = body === LONG.body ? entity.toLowerCase() : '';
  const checkBytes = keyed(keys.check, marker, named, bodyBytes).subarray(0, check);
  return base32(joined([Uint8Array.of(keys.id), bodyBytes, checkBytes]));
}

function open(
  ring: MaskingKeyRing,
  marker: Marker,
  entity: string | undefined,
  encoded: string,
): Omit<Found, 'start' | 'end'> | undefined {
  const bytes = bytesOfBase32(encoded);
  const keys = bytes === undefined ? undefined : ring.find(bytes[0] ?? -1);
  if (bytes === undefined || keys === undefined) return undefined;
  const content = bytes.subarray(1);
  const found = { marker, entity, keyId: keys.id };
  if (marker === 'tok' && entity !== undefined) {
    const plain = opened(keys, entity, content);
    return plain === undefined ? undefined : { ...found, plain };
  }
  const lengths = entity === undefined ? COMPACT : LONG;
  if (content.length !== lengths.body + lengths.check) return undefined;
  const expected = keyed(keys.check, marker, entity ?? '', content.subarray(0, lengths.body));
  const isOurs = timingSafeEqual(expected.subarray(0, lengths.check), content.subarray(lengths.body));
  return isOurs ? { ...found, plain: undefined } : undefined;
}

function opened(keys: PurposeKeys, entity: string, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < SIV_BYTES + BLOCK_BYTES || sealed.length % BLOCK_BYTES !== 0) return undefined;
  try {
    return unpadded(aessiv(keys.token, ...associated(keys, entity)).decrypt(sealed));
  } catch {
    // Not an error: nothing but a wrong tag is left to go wrong, and a text with one is none of ours.
    return undefined;
  }
}

function associated(keys: PurposeKeys, entity: string): readonly [Uint8Array, Uint8Array] {
  return [utf8Bytes(entity.toLowerCase()), Uint8Array.of(keys.id)];
}

function padded(value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array((Math.floor(value.length / BLOCK_BYTES) + 1) * BLOCK_BYTES);
  bytes.set(value);
  bytes[value.length] = PADDING;
  return bytes;
}

function unpadded(bytes: Uint8Array): Uint8Array | undefined {
  const end = bytes.lastIndexOf(PADDING);
  return end === -1 ? undefined : bytes.slice(0, end);
}
