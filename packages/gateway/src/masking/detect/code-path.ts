/**
 * Words of letters and digits → secrets, IBANs, addresses of currencies, and the codes of the tables.
 */

import { CLASS, classAt, IS_DIGIT, IS_LETTER, IS_LOWER, IS_UPPER, IS_WORD } from './byte-classes.ts';
import {
  beginsWithGroups,
  CODE_LENGTH_MAX,
  CONTEXT_OF_CODES,
  codesOfLength,
  hasShape,
  strongCodesOfLength,
  writtenCodes,
} from './code-table.ts';
import { isMachineReadableLine } from './codes-world.ts';
import { cryptoAddress } from './crypto-addresses.ts';
import { entityId } from './entities.ts';
import { IBAN_LENGTH_MAX, IBAN_LENGTH_MIN, ibanLength, isIban } from './iban.ts';
import { CONTEXT } from './lexicon.ts';
import { isBoundBefore } from './number-groups.ts';
import type { ScanState } from './scan-state.ts';
import { namedSecret, secretAround } from './secrets.ts';

const IBAN = entityId('IBAN');
const NATIONAL_ID = entityId('NATIONAL_ID');
const SECRET = entityId('SECRET');
const MRZ = entityId('MRZ');

/** A word is read back to its beginning over at most this much. */
const BACK_BYTES_MAX = 64;
const GROUPS_MAX = 7;
/** A word is walked over up to here; a stream has as much ready (streaming-scanner.ts). */
export const WORD_BYTES_MAX = 16_384;
const UUID_BYTES = 36;

/** The word around a digit that has letters in it; gives where to go on. */
export function codeAt(state: ScanState, at: number): number {
  const { bytes, end } = state;
  let from = at;
  const earliest = Math.max(state.floor, at - BACK_BYTES_MAX);
  while (from > earliest && ((CLASS[bytes[from - 1] ?? 0] ?? 0) & IS_WORD) !== 0) from -= 1;
  let to = at + 1;
  const latest = Math.min(end, at + WORD_BYTES_MAX);
  while (to < latest && ((CLASS[bytes[to] ?? 0] ?? 0) & IS_WORD) !== 0) to += 1;
  if (to - from >= 8) {
    const uuid = uuidEnd(bytes, from, end);
    if (uuid !== 0) return afterUuid(state, from, uuid);
    if (secretAround(state, from)) return state.floor;
  }
  if (isIbanAt(state, from, to) || groupedCodeBefore(state, from)) return state.floor;
  if ((isJoinedBehind(state, to) && groupedCodeFrom(state, from)) || isCodeWord(state, from, to))
    return state.floor;
  if (to - from >= 26 && cryptoAddress(state, from, to)) return state.floor;
  if (bytes[to] === 60 || to - from === 44 || to - from === 36) {
    if (isMachineReadable(state, from)) return state.floor;
  }
  if (to - from >= 4 && namedSecret(state, from, to)) return state.floor;
  return namedCode(state, from, to) ? state.floor : to;
}

/** Whether a single separator joins another word behind a place: `12345678-Z`, `34 ABC 1234`. */
export function isJoinedBehind(state: ScanState, to: number): boolean {
  if (to + 1 >= state.end) return false;
  const separator = state.bytes[to] ?? 0;
  if (separator !== 32 && separator !== 45 && separator !== 46 && separator !== 43) return false;
  return ((CLASS[state.bytes[to + 1] ?? 0] ?? 0) & IS_WORD) !== 0;
}

/** Whether anything but the value itself says something about it. */
function mayHaveWord(state: ScanState, from: number, to: number): boolean {
  return state.hints.promoted !== undefined || (state.contextAround(from, to) & CONTEXT_OF_CODES) !== 0;
}

/** One word against the table. */
function isCodeWord(state: ScanState, from: number, to: number): boolean {
  const length = to - from;
  if (length > CODE_LENGTH_MAX || length < 3) return false;
  const rows = mayHaveWord(state, from, to) ? codesOfLength(length) : strongCodesOfLength(length);
  if (rows.length === 0) return false;
  const mask = readCode(state, from, to, 0);
  const isBound = isBoundBefore(state, from);
  for (const row of rows) {
    if (!hasShape(row, state.code, mask)) continue;
    const when = isBound ? 'context' : row.detector.when;
    if (!state.isCertain(when, row.entity, row.detector.context, from, to)) continue;
    if (!row.detector.valid(state.code, length)) continue;
    state.add(row.entity, from, to);
    return true;
  }
  return false;
}

/** Puts a word into the code in upper case; gives the bits of its digits. */
function readCode(state: ScanState, from: number, to: number, place: number): number {
  const { bytes, code } = state;
  let mask = 0;
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at] ?? 0;
    const index = place + at - from;
    code[index] = byte >= 97 ? byte - 32 : byte;
    if (byte <= 57 && index < 31) mask |= 1 << index;
  }
  return mask;
}

/** Words joined by single spaces, hyphens and dots, longest first. */
export function groupedCodeFrom(state: ScanState, from: number): boolean {
  const { bytes, end, groupFrom, groupTo } = state;
  let groups = 0;
  let total = 0;
  let place = from;
  let mask = 0;
  while (groups < GROUPS_MAX) {
    let to = place;
    while (to < end && ((CLASS[bytes[to] ?? 0] ?? 0) & IS_WORD) !== 0) to += 1;
    if (to === place || total + to - place > CODE_LENGTH_MAX) break;
    if (
      groups === 1 &&
      !beginsWithGroups(total, to - place, state.code[0] ?? 0, mayHaveWord(state, from, to))
    )
      return false;
    mask |= readCode(state, place, to, total);
    total += to - place;
    groupFrom[groups] = total;
    groupTo[groups] = to;
    groups += 1;
    const separator = bytes[to] ?? 0;
    if (to >= end || (separator !== 32 && separator !== 45 && separator !== 46 && separator !== 43)) break;
    place = to + 1;
  }
  for (let count = groups; count >= 2; count -= 1) {
    if (isGroupedWindow(state, from, count, mask)) return true;
  }
  return false;
}

function isGroupedWindow(state: ScanState, from: number, count: number, mask: number): boolean {
  const { groupFrom, groupTo } = state;
  const length = groupFrom[count - 1] ?? 0;
  const to = groupTo[count - 1] ?? 0;
  let key = 0;
  for (let group = 0; group < count; group += 1) {
    key = key * 16 + (groupFrom[group] ?? 0) - (group === 0 ? 0 : (groupFrom[group - 1] ?? 0));
  }
  const window = length >= 31 ? mask : mask & ((1 << length) - 1);
  for (const row of writtenCodes(key)) {
    const { detector, entity } = row;
    if (!hasShape(row, state.code, window)) continue;
    const when = isBoundBefore(state, from) ? 'context' : (detector.whenWritten ?? 'context');
    if (!state.isCertain(when, entity, detector.context, from, to)) continue;
    if (!detector.valid(state.code, length)) continue;
    state.add(entity, from, to);
    return true;
  }
  return false;
}

/**
 * A code whose first groups have no digits, as `AA 12 34 56 B` and `B AB 1234`, and that the digits at a
 * place belong to; whether one was found.
 */
export function groupedCodeBefore(state: ScanState, at: number): boolean {
  const near = shortWordBefore(state, at);
  if (near < 0) return false;
  const far = shortWordBefore(state, near);
  if (far >= 0 && groupedCodeFrom(state, far)) return true;
  return groupedCodeFrom(state, near);
}

/** Where a word of one to four letters begins that a single separator joins to a place; -1 for none. */
function shortWordBefore(state: ScanState, at: number): number {
  const separator = state.byteAt(at - 1);
  if (separator !== 32 && separator !== 45 && separator !== 46) return -1;
  let from = at - 1;
  while (from > state.floor && from > at - 6 && (classAt(state.bytes, from - 1, state.end) & IS_LETTER) !== 0)
    from -= 1;
  const length = at - 1 - from;
  if (length < 1 || length > 4 || from < state.floor) return -1;
  if (from > state.begin && (classAt(state.bytes, from - 1, state.end) & IS_WORD) !== 0) return -1;
  return from;
}

/** An IBAN in one piece, or in groups that spaces and hyphens join. */
function isIbanAt(state: ScanState, from: number, firstTo: number): boolean {
  const { bytes, end, code } = state;
  if (firstTo - from < 4) return false;
  const mask = readCode(state, from, from + 4, 0);
  if (mask !== 0b1100) return false;
  const wanted = ibanLength(code[0] ?? 0, code[1] ?? 0);
  if (wanted === 0) return false;
  let place = from;
  let total = 0;
  while (total < wanted) {
    let to = place;
    while (to < end && ((CLASS[bytes[to] ?? 0] ?? 0) & IS_WORD) !== 0) to += 1;
    if (to === place || total + to - place > wanted) break;
    readCode(state, place, to, total);
    total += to - place;
    place = to;
    if (total === wanted) break;
    if (to >= end || (bytes[to] !== 32 && bytes[to] !== 45)) break;
    place = to + 1;
  }
  const isNamed = (state.hints.context & CONTEXT.BANK) !== 0;
  if (total === wanted && isIban(code, wanted)) {
    // ISO 13616 writes capitals; both cases at once is a word that happens to pass.
    if (
      !isNamed &&
      hasBothCases(bytes, from, place) &&
      (state.contextAround(from, place) & CONTEXT.BANK) === 0
    )
      return false;
    state.add(IBAN, from, place);
    return true;
  }
  // A wrong check digit does not clear what the column is named for.
  const length = firstTo - from;
  if (!isNamed || length < IBAN_LENGTH_MIN || length > IBAN_LENGTH_MAX + 1) return false;
  state.add(IBAN, from, firstTo);
  return true;
}

function hasBothCases(bytes: Uint8Array, from: number, to: number): boolean {
  let classes = 0;
  for (let at = from; at < to; at += 1) classes |= CLASS[bytes[at] ?? 0] ?? 0;
  return (classes & IS_UPPER) !== 0 && (classes & IS_LOWER) !== 0;
}

/** A whole value in a column that is named for numbers of persons. */
function namedCode(state: ScanState, from: number, to: number): boolean {
  const context = CONTEXT.NATIONAL_ID | CONTEXT.TRAVEL | CONTEXT.DRIVING;
  if ((state.hints.context & context) === 0 || !state.isWhole(from, to) || to - from < 6 || to - from > 20)
    return false;
  state.add(NATIONAL_ID, from, to);
  return true;
}

/** RFC 9562, 8-4-4-4-12: where it ends; 0 where there is none. */
export function uuidEnd(bytes: Uint8Array, from: number, end: number): number {
  if (from + UUID_BYTES > end || bytes[from + 8] !== 45) return 0;
  for (let at = 0; at < UUID_BYTES; at += 1) {
    const byte = bytes[from + at] ?? 0;
    const isHyphen = at === 8 || at === 13 || at === 18 || at === 23;
    const isHex = (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 70) || (byte >= 97 && byte <= 102);
    if (isHyphen ? byte !== 45 : !isHex) return 0;
  }
  return (classAt(bytes, from + UUID_BYTES, end) & IS_WORD) === 0 ? from + UUID_BYTES : 0;
}

/** A UUID is an id, unless a name for secrets stands before it. */
export function afterUuid(state: ScanState, from: number, to: number): number {
  const isNamed = (state.hints.context & CONTEXT.AUTH) !== 0;
  if (!isNamed && !namedSecret(state, from, to)) return to;
  if (isNamed) state.add(SECRET, from, to);
  return state.floor;
}

/** The second line of a machine-readable zone. */
function isMachineReadable(state: ScanState, from: number): boolean {
  const { bytes, end } = state;
  let to = from;
  while (to < end && to < from + 45 && (isUpperWord(bytes[to] ?? 0) || bytes[to] === 60)) to += 1;
  if (!isMachineReadableLine(bytes, from, to - from)) return false;
  state.add(MRZ, from, to);
  return true;
}

function isUpperWord(byte: number): boolean {
  return ((CLASS[byte] ?? 0) & (IS_UPPER | IS_DIGIT)) !== 0;
}
