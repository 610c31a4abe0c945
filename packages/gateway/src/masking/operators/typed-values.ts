/**
 * Values other than texts in the place of other values of their type: permutations, which can be had back,
 * and hashes and tokens, which cannot.
 *
 * Spec: spec/masking-operators.md, sections 1 and 4.
 */

import { bytesOfHex, hexOf, int32Bytes, int64Bytes, malformed, ValueReader } from './bytes.ts';
import { byteaContent, byteaValue } from './bytea.ts';
import { bytesOfDecimal, decimalOfBinary, decimalOfText } from './decimal.ts';
import { permuteDecimal, permuteUuid } from './digits.ts';
import type { PurposeKeys } from './key-ring.ts';
import type { Masked, Wire } from './operator.ts';
import type { Direction } from './permutation.ts';
import { utf8Bytes } from './text-encoding.ts';
import { compactOf, hashOf, keyed, tokenOf } from './tokens.ts';
import { permuteInt4, permuteInt8, uuidOf } from './typed-tokens.ts';

/** A value of a type that is no text. */
export interface TypedValue {
  readonly typeName: string;
  readonly bytes: Uint8Array;
  /** What the bytes say in text format. */
  readonly text: string | undefined;
  readonly wire: Wire;
  readonly entity: string;
}

/** The value in the place of this one, or the one that this one stands for; undefined where there is none. */
export function permuteTyped(
  direction: Direction,
  keys: PurposeKeys,
  value: TypedValue,
): Uint8Array | undefined {
  return PERMUTED[value.typeName]?.(direction, keys, value);
}

const PERMUTED: Readonly<
  Record<string, (direction: Direction, keys: PurposeKeys, value: TypedValue) => Uint8Array | undefined>
> = {
  int4(direction, keys, { bytes, text, entity }) {
    const number = integerOf(bytes, text, 4);
    const result = permuteInt4(direction, keys, entity, Number(number));
    return text === undefined ? int32Bytes(result) : utf8Bytes(String(result));
  },
  int8(direction, keys, { bytes, text, entity }) {
    const result = permuteInt8(direction, keys, entity, integerOf(bytes, text, 8));
    return result === undefined ? undefined : int8Bytes(result, text);
  },
  numeric(direction, keys, { bytes, text, wire, entity }) {
    const number = text === undefined ? decimalOfBinary(bytes) : decimalOfText(text);
    if (number === undefined) return undefined;
    const digits = permuteDecimal(direction, keys, entity, number.digits.toString());
    return digits === undefined
      ? undefined
      : bytesOfDecimal({ ...number, digits: BigInt(digits) }, wire.format);
  },
  uuid(direction, keys, { bytes, text, entity }) {
    return uuidBytes(bytesOfHex(permuteUuid(direction, keys, entity, hexOf(uuidOfValue(bytes, text)))), text);
  },
};

/** `token` of types that have no permutation, or one that is not recognised. */
export function tokenTyped(keys: PurposeKeys, value: TypedValue): Masked | undefined {
  const { typeName, bytes, text, wire, entity } = value;
  if (typeName === 'uuid') {
    const token = uuidOf(keys, 'token', entity, uuidOfValue(bytes, text));
    return { value: uuidBytes(token, text) ?? null, reversible: false };
  }
  if (typeName === 'bytea') {
    const content = byteaContent(bytes, wire);
    const token = tokenOf(keys, entity, content);
    const ascii = utf8Bytes(token ?? compactOf(keys, 'tok', entity, content));
    return { value: byteaValue(ascii, bytes, wire), reversible: token !== undefined };
  }
  const permuted = permuteTyped('encrypt', keys, value);
  return permuted === undefined ? undefined : { value: permuted, reversible: true };
}

/** `hash` of types that have room for one. */
export function hashTyped(keys: PurposeKeys, value: TypedValue): Uint8Array | undefined {
  const { typeName, bytes, text, wire, entity } = value;
  if (typeName === 'uuid') return uuidBytes(uuidOf(keys, 'hash', entity, uuidOfValue(bytes, text)), text);
  if (typeName === 'bytea') {
    return byteaValue(utf8Bytes(hashOf(keys, entity, byteaContent(bytes, wire))), bytes, wire);
  }
  if (typeName !== 'int8') return undefined;
  const hashed = keyed(keys.hash, 'int8', entity, int64Bytes(integerOf(bytes, text, 8)));
  // Below 2^62, where no token of a small number is.
  return int8Bytes(new DataView(hashed.buffer).getBigUint64(0) >> 2n, text);
}

/** A UUID in the form in which it came. */
export function uuidOfValue(bytes: Uint8Array, text: string | undefined): Uint8Array {
  const isUuid = text === undefined || /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
  const uuid = text === undefined ? bytes : bytesOfHex(text.replaceAll('-', ''));
  if (!isUuid || uuid?.length !== 16) throw malformed('a UUID');
  return uuid;
}

export function integerOf(bytes: Uint8Array, text: string | undefined, width: 4 | 8): bigint {
  if (text !== undefined) {
    if (!/^-?\d{1,19}$/.test(text)) throw malformed('an integer');
    return BigInt(text);
  }
  const reader = new ValueReader(bytes, 'an integer');
  const number = width === 4 ? BigInt(reader.int32()) : reader.int64();
  reader.end();
  return number;
}

function int8Bytes(value: bigint, text: string | undefined): Uint8Array {
  return text === undefined ? int64Bytes(value) : utf8Bytes(String(value));
}

function uuidBytes(uuid: Uint8Array | undefined, text: string | undefined): Uint8Array | undefined {
  if (uuid === undefined || text === undefined) return uuid;
  return utf8Bytes(hexOf(uuid).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'));
}
