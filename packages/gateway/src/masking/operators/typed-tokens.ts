/**
 * Tokens of values that have no room for a text: integers and UUIDs.
 *
 * Spec: spec/masking-operators.md, section 4. Integers become other integers, each a different one, and can
 * be had back. A UUID becomes one of version 8 (RFC 9562), which cannot.
 *
 * int8: numbers from 0 to 2^40 - 1, which identifiers are, become
 *   0 1 check[22 bits] FF1(number)[40 bits]
 * and so are recognised. All others become what is left of 64 bits; int4 has no bits to spare.
 */

import { int64Bytes, joined } from './bytes.ts';
import type { MaskingKeyRing, PurposeKeys } from './key-ring.ts';
import { type Direction, permuteBits, walk } from './permutation.ts';
import { keyed } from './tokens.ts';

const SMALL_BITS = 40;
const SMALL_END = 1n << BigInt(SMALL_BITS);
const CHECK_BITS = 22;
const MARK = 1n << 62n;
const CHECK_MASK = (1n << BigInt(CHECK_BITS)) - 1n;

/** The token of an int8, or the int8 of a token. */
export function permuteInt8(
  direction: Direction,
  keys: PurposeKeys,
  entity: string,
  value: bigint,
): bigint | undefined {
  if (direction === 'encrypt' && isSmall(value)) return smallToken(keys, entity, value);
  if (direction === 'decrypt' && isSmallToken(keys, value)) return smallPlain(keys, entity, value);
  return permuteLarge(direction, keys, entity, value);
}

/** Whether the number is the token of a small number under this key; by chance 1 of 2^24 of all numbers is. */
export function isSmallToken(keys: PurposeKeys, value: bigint): boolean {
  if (value < MARK || value >= 2n * MARK) return false;
  return ((value >> BigInt(SMALL_BITS)) & CHECK_MASK) === checkOf(keys, value % SMALL_END);
}

/** An int4 in the place of this one; its sign stays, because some clients take such columns for unsigned. */
export function permuteInt4(direction: Direction, keys: PurposeKeys, entity: string, value: number): number {
  const magnitude = BigInt(value < 0 ? ~value : value);
  const permuted = Number(permuteBits(direction, keys.permutation, `int4\0${entity}`, magnitude, 31));
  return value < 0 ? ~permuted : permuted;
}

function isSmall(value: bigint): boolean {
  return value >= 0n && value < SMALL_END;
}

function smallToken(keys: PurposeKeys, entity: string, value: bigint): bigint {
  const permuted = permuteBits('encrypt', keys.permutation, `int8/small\0${entity}`, value, SMALL_BITS);
  return MARK | (checkOf(keys, permuted) << BigInt(SMALL_BITS)) | permuted;
}

function smallPlain(keys: PurposeKeys, entity: string, token: bigint): bigint {
  const permuted = token % SMALL_END;
  return permuteBits('decrypt', keys.permutation, `int8/small\0${entity}`, permuted, SMALL_BITS);
}

function checkOf(keys: PurposeKeys, permuted: bigint): bigint {
  const bytes = keyed(keys.check, 'int8', '', int64Bytes(permuted));
  return new DataView(bytes.buffer).getBigUint64(0) & CHECK_MASK;
}

/**
 * A permutation of 64 bits would sometimes give the token of a small number. Such a result stands for that
 * small number, whose place in the permutation is free, and goes on from there; and back.
 */
function permuteLarge(
  direction: Direction,
  keys: PurposeKeys,
  entity: string,
  value: bigint,
): bigint | undefined {
  const encrypting = direction === 'encrypt';
  function permuted(from: bigint): bigint {
    const unsigned = BigInt.asUintN(64, from);
    return BigInt.asIntN(64, permuteBits(direction, keys.permutation, `int8\0${entity}`, unsigned, 64));
  }
  function isDone(result: bigint): boolean {
    return encrypting ? !isSmallToken(keys, result) : !isSmall(result);
  }
  // The first step starts from the value itself, whatever it looks like.
  const first = permuted(value);
  if (isDone(first)) return first;
  return walk(
    (from) => permuted(encrypting ? smallPlain(keys, entity, from) : smallToken(keys, entity, from)),
    first,
    isDone,
  );
}

const UUID_BODY_BYTES = 11;
const UUID_BYTES = 16;

/** A UUID of version 8: 82 bits of a keyed hash, and 40 that are checked. */
export function uuidOf(keys: PurposeKeys, purpose: string, entity: string, value: Uint8Array): Uint8Array {
  const body = keyed(keys.hash, `uuid/${purpose}`, entity, value).slice(0, UUID_BODY_BYTES);
  body[6] = 0x80 | ((body[6] ?? 0) & 0x0f);
  body[8] = 0x80 | ((body[8] ?? 0) & 0x3f);
  return joined([body, uuidCheck(keys, body)]);
}

/** The key of a UUID that {@link uuidOf} made; by chance 1 of 2^40 of version 8 has one. */
export function uuidKey(ring: MaskingKeyRing, uuid: Uint8Array): PurposeKeys | undefined {
  if (uuid.length !== UUID_BYTES) return undefined;
  const body = uuid.subarray(0, UUID_BODY_BYTES);
  const check = uuid.subarray(UUID_BODY_BYTES);
  return ring.all.find((keys) => Buffer.from(uuidCheck(keys, body)).equals(check));
}

function uuidCheck(keys: PurposeKeys, body: Uint8Array): Uint8Array {
  return keyed(keys.check, 'uuid', '', body).subarray(0, UUID_BYTES - UUID_BODY_BYTES);
}
