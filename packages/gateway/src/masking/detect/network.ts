/** Addresses of networks and devices: IPv4, IPv6 (RFC 4291, RFC 5952), CIDR, EUI-48. */

import { CLASS, classAt, IS_DIGIT, IS_LETTER, IS_WORD } from './byte-classes.ts';
import { entityId } from './entities.ts';
import { CONTEXT } from './lexicon.ts';
import type { ScanState } from './scan-state.ts';

const IPV4 = entityId('IPV4');
const IPV6 = entityId('IPV6');
const MAC_ADDRESS = entityId('MAC_ADDRESS');

const DOT = 46;
const COLON = 58;
const SLASH = 47;
/** The longest text of an address: eight groups, the last two as IPv4. */
const IPV6_BYTES_MAX = 45;

function isHex(byte: number): boolean {
  return (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 70) || (byte >= 97 && byte <= 102);
}

/** Where four octets end that begin at a place; 0 where there are none. */
function octetsEnd(bytes: Uint8Array, at: number, end: number): number {
  let place = at;
  for (let octet = 0; octet < 4; octet += 1) {
    const from = place;
    let value = 0;
    while (place < end && place < from + 4 && (classAt(bytes, place, end) & IS_DIGIT) !== 0) {
      value = value * 10 + (bytes[place] ?? 48) - 48;
      place += 1;
    }
    if (place === from || place > from + 3 || value > 255) return 0;
    if (place > from + 1 && bytes[from] === 48) return 0;
    if (octet === 3) return place;
    if (place >= end || bytes[place] !== DOT) return 0;
    place += 1;
  }
  return 0;
}

/** `/24` behind an address. */
function prefixEnd(bytes: Uint8Array, at: number, end: number, max: number): number {
  if (at + 1 >= end || bytes[at] !== SLASH) return at;
  let place = at + 1;
  let value = 0;
  while (place < at + 4 && (classAt(bytes, place, end) & IS_DIGIT) !== 0) {
    value = value * 10 + (bytes[place] ?? 48) - 48;
    place += 1;
  }
  return place > at + 1 && value <= max && (classAt(bytes, place, end) & IS_WORD) === 0 ? place : at;
}

/**
 * An IPv4 address at a place: where to go on, or 0. `1.2.3.4` may be a version: short ones need a word, and
 * none is believed beside a word for versions.
 */
export function ipv4At(state: ScanState, at: number): number {
  const { bytes, end } = state;
  const before = state.byteAt(at - 1);
  const isInside = before < 0x80 && ((CLASS[before] ?? 0) & IS_WORD) !== 0 && at > state.begin;
  if (isInside || before === DOT) return 0;
  const octets = octetsEnd(bytes, at, end);
  if (octets === 0 || (classAt(bytes, octets, end) & IS_LETTER) !== 0) return 0;
  const to = prefixEnd(bytes, octets, end, 32);
  const context = state.contextAround(at, to);
  const digits = octets - at - 3;
  const isNamed = (context & CONTEXT.NETWORK) !== 0;
  const isVersion = (context & CONTEXT.REFERENCE) !== 0 && !isNamed;
  if (isVersion || (!isNamed && digits < 7 && state.isWhole(at, to))) return to;
  state.add(IPV4, at, to);
  return to;
}

/** An IPv6 address or a MAC address around a colon: whether one was found. */
export function colonAddressAt(state: ScanState, at: number): boolean {
  const { bytes, end } = state;
  const next = at + 1 < end ? (bytes[at + 1] ?? 0) : 0;
  // `"key":` and `key: ` are no part of an address; what ends in two colons was looked at from the first.
  if (!isHex(next) && next !== COLON) return false;
  let from = at;
  const earliest = Math.max(state.floor, at - IPV6_BYTES_MAX);
  while (from > earliest && isAddressByte(bytes[from - 1] ?? 0)) from -= 1;
  let to = at + 1;
  const latest = Math.min(end, at + IPV6_BYTES_MAX + 1);
  while (to < latest && isAddressByte(bytes[to] ?? 0)) to += 1;
  if ((classAt(bytes, from - 1, end) & IS_WORD) !== 0 && from > state.begin) return false;
  if ((classAt(bytes, to, end) & IS_LETTER) !== 0) return false;
  if (to - from === 17 && isMac(bytes, from, COLON)) return addMac(state, from);
  // A dot or a colon that ends a sentence.
  while (to > at + 1 && (bytes[to - 1] === DOT || (bytes[to - 1] === COLON && bytes[to - 2] !== COLON)))
    to -= 1;
  if (!isIpv6(bytes, from, to)) return false;
  const whole = prefixEnd(bytes, zoneEnd(bytes, to, end), end, 128);
  // `::` stands in programs, and `abc::def` is a name there.
  const isCertain = hasDigit(bytes, from, to) || (state.contextAround(from, whole) & CONTEXT.NETWORK) !== 0;
  if (!isCertain) return false;
  state.add(IPV6, from, whole);
  return true;
}

/** `00-1A-2B-3C-4D-5E` around a hyphen. */
export function hyphenMacAt(state: ScanState, at: number): boolean {
  const { bytes, end } = state;
  const from = at - 2;
  if (from < state.floor || from + 17 > end || bytes[at + 3] !== 45) return false;
  const isAlone =
    (from === state.begin || (classAt(bytes, from - 1, end) & IS_WORD) === 0) &&
    (classAt(bytes, from + 17, end) & IS_WORD) === 0;
  return isAlone && bytes[from - 1] !== 45 && isMac(bytes, from, 45) && addMac(state, from);
}

function addMac(state: ScanState, from: number): boolean {
  const { bytes } = state;
  let first = 0;
  let isVaried = false;
  for (let at = from; at < from + 17; at += 3) {
    const pair = (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
    if (at === from) first = pair;
    else if (pair !== first) isVaried = true;
  }
  // All zeros and broadcast are no device.
  if (!isVaried) return false;
  state.add(MAC_ADDRESS, from, from + 17);
  return true;
}

function isAddressByte(byte: number): boolean {
  return isHex(byte) || byte === COLON || byte === DOT;
}

function isMac(bytes: Uint8Array, from: number, separator: number): boolean {
  for (let at = 0; at < 17; at += 1) {
    const byte = bytes[from + at] ?? 0;
    if (at % 3 === 2 ? byte !== separator : !isHex(byte)) return false;
  }
  return true;
}

function hasDigit(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (((CLASS[bytes[at] ?? 0] ?? 0) & IS_DIGIT) !== 0) return true;
  return false;
}

function zoneEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end || bytes[at] !== 37) return at;
  let place = at + 1;
  while (place < end && place < at + 16 && (classAt(bytes, place, end) & IS_WORD) !== 0) place += 1;
  return place > at + 1 ? place : at;
}

/** RFC 4291 §2.2. */
function isIpv6(bytes: Uint8Array, from: number, to: number): boolean {
  let groups = 0;
  let hasGap = false;
  let at = from;
  if (bytes[at] === COLON && bytes[at + 1] !== COLON) return false;
  while (at < to) {
    if (bytes[at] === COLON) {
      if (bytes[at + 1] === COLON && at + 1 < to) {
        if (hasGap) return false;
        hasGap = true;
        at += 2;
        if (at < to && bytes[at] === COLON) return false;
      } else {
        at += 1;
        if (at >= to) return false;
      }
      continue;
    }
    const start = at;
    while (at < to && isHex(bytes[at] ?? 0)) at += 1;
    if (at < to && bytes[at] === DOT) {
      groups += 2;
      return octetsEnd(bytes, start, to) === to && (hasGap ? groups < 8 : groups === 8);
    }
    if (at === start || at - start > 4) return false;
    groups += 1;
  }
  return hasGap ? groups < 8 : groups === 8;
}
