/**
 * Addresses of crypto currencies: Base58Check (Bitcoin, Litecoin, Dogecoin, Tron), bech32 and bech32m
 * (BIP 173, BIP 350), Ethereum. Solana has no check and is found beside a word only; an Ethereum address in
 * one case has none either.
 */

import { CLASS, IS_DIGIT, IS_LOWER, IS_UPPER } from './byte-classes.ts';
import { entityId } from './entities.ts';
import { CONTEXT } from './lexicon.ts';
import type { ScanState } from './scan-state.ts';
import { sha256Short } from './sha256.ts';

const CRYPTO_ADDRESS = entityId('CRYPTO_ADDRESS');
const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const BECH32 = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const FROM_BASE58 = new Int8Array(256).fill(-1);
const FROM_BECH32 = new Int8Array(256).fill(-1);
for (const [value, character] of Array.from(BASE58).entries()) FROM_BASE58[character.charCodeAt(0)] = value;
for (const [value, character] of Array.from(BECH32).entries()) FROM_BECH32[character.charCodeAt(0)] = value;

/** A word that is an address; whether it was one. */
export function cryptoAddress(state: ScanState, from: number, to: number): boolean {
  const length = to - from;
  const { bytes } = state;
  if (length === 42 && bytes[from] === 48 && bytes[from + 1] === 120) {
    if (!isEthereum(state, from, to)) return false;
  } else if (
    !((length >= 26 && length <= 35 && isBase58Check(bytes, from, to)) || isBech32(bytes, from, to))
  ) {
    return false;
  }
  state.add(CRYPTO_ADDRESS, from, to);
  return true;
}

/** EIP-55 writes a check into the case of letters, which takes Keccak: both cases are taken for it. */
function isEthereum(state: ScanState, from: number, to: number): boolean {
  let classes = 0;
  for (let at = from + 2; at < to; at += 1) {
    const byte = state.bytes[at] ?? 0;
    const isHex = (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 70) || (byte >= 97 && byte <= 102);
    if (!isHex) return false;
    classes |= CLASS[byte] ?? 0;
  }
  const hasBoth = (classes & IS_UPPER) !== 0 && (classes & IS_LOWER) !== 0;
  return hasBoth || state.isCertain('context', CRYPTO_ADDRESS, CONTEXT.CRYPTO, from, to);
}

const decoded = new Uint8Array(25);

function isBase58Check(bytes: Uint8Array, from: number, to: number): boolean {
  if (!'13LM9ADT'.includes(String.fromCharCode(bytes[from] ?? 0))) return false;
  let classes = 0;
  decoded.fill(0);
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at] ?? 0;
    classes |= CLASS[byte] ?? 0;
    let carry = FROM_BASE58[byte] ?? -1;
    if (carry < 0) return false;
    for (let place = 24; place >= 0; place -= 1) {
      carry += (decoded[place] ?? 0) * 58;
      decoded[place] = carry & 0xff;
      carry >>= 8;
    }
    if (carry !== 0) return false;
  }
  if ((classes & (IS_DIGIT | IS_UPPER | IS_LOWER)) !== (IS_DIGIT | IS_UPPER | IS_LOWER)) return false;
  const digest = sha256Short(sha256Short(decoded, 21), 32);
  for (let at = 0; at < 4; at += 1) if (digest[at] !== decoded[21 + at]) return false;
  return true;
}

const GENERATORS = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];

function polymod(checksum: number, value: number): number {
  const top = checksum >>> 25;
  let next = ((checksum & 0x01ff_ffff) << 5) ^ value;
  for (let bit = 0; bit < 5; bit += 1) if (((top >>> bit) & 1) !== 0) next ^= GENERATORS[bit] ?? 0;
  return next;
}

/** `bc1`, `tb1`, `ltc1`: short names, then 39 or more characters. */
function isBech32(bytes: Uint8Array, from: number, to: number): boolean {
  const length = to - from;
  if (length < 38 || length > 90) return false;
  const divider = bytes[from + 2] === 49 ? from + 2 : bytes[from + 3] === 49 ? from + 3 : 0;
  if (divider === 0) return false;
  let checksum = 1;
  for (let at = from; at < divider; at += 1) checksum = polymod(checksum, ((bytes[at] ?? 0) | 32) >>> 5);
  checksum = polymod(checksum, 0);
  for (let at = from; at < divider; at += 1) checksum = polymod(checksum, ((bytes[at] ?? 0) | 32) & 31);
  for (let at = divider + 1; at < to; at += 1) {
    const byte = bytes[at] ?? 0;
    const value = FROM_BECH32[byte >= 65 && byte <= 90 ? byte + 32 : byte] ?? -1;
    if (value < 0) return false;
    checksum = polymod(checksum, value);
  }
  return checksum === 1 || checksum === 0x2bc8_30a3;
}
