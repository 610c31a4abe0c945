/**
 * Digits → cards, numbers of persons and companies, telephone numbers.
 *
 * From the first group of digits on the longest window of groups is tried first: `4111 1111 1111 1111` is a
 * card before `4111 1111` is anything. A window is masked where its shape, its check digits, and words or
 * statistics together are certain enough.
 */

import { CLASS, classAt, IS_DIGIT, IS_LETTER } from './byte-classes.ts';
import { isCard, mayBeCard } from './cards.ts';
import { luhn } from './checksums.ts';
import { codeAt, groupedCodeBefore, groupedCodeFrom, isJoinedBehind, WORD_BYTES_MAX } from './code-path.ts';
import { contextOfWordAt } from './context.ts';
import { entityId } from './entities.ts';
import { CONTEXT } from './lexicon.ts';
import { ipv4At } from './network.ts';
import {
  dateEnd,
  isBoundBefore,
  isBoundBehind,
  isWrittenDate,
  NumberGroups,
  timeEnd,
} from './number-groups.ts';
import {
  bareNumbers,
  contextOfNumbers,
  groupKey,
  type NumberRow,
  strongNumbers,
  writtenNumbers,
} from './number-table.ts';
import { callingCodeLength, type PhoneNumbers } from './phone.ts';
import type { ScanState } from './scan-state.ts';
import { namedSecret } from './secrets.ts';

const CREDIT_CARD = entityId('CREDIT_CARD');
const PHONE = entityId('PHONE');
const NATIONAL_ID = entityId('NATIONAL_ID');
const DATE_OF_BIRTH = entityId('DATE_OF_BIRTH');
const CVV = entityId('CVV');
const GEO = entityId('GEO');

const SPACE = 32;
const DOT = 46;
/** Groups of 3, 3 and 4 digits, as a key of number-table.ts. */
const NORTH_AMERICAN = 0x334;
/** No scheme has more groups. */
const WINDOW_GROUPS_MAX = 8;
/** More places than this are not walked over at once. */
const DECIMALS_MAX = 64;
/** National and international numbers: ITU-T E.164 allows fifteen digits. */
const PHONE_DIGITS_MAX = 15;

/** What looks at digits. */
export class NumberPath {
  readonly #groups = new NumberGroups();
  readonly #phones: PhoneNumbers;

  constructor(phones: PhoneNumbers) {
    this.#phones = phones;
  }

  /** Looks at the digits that begin at a place; gives where to go on. */
  at(state: ScanState, at: number): number {
    const { bytes, end } = state;
    if (at > state.floor && ((CLASS[bytes[at - 1] ?? 0] ?? 0) & IS_LETTER) !== 0) return codeAt(state, at);
    let groupEnd = at + 1;
    const latest = Math.min(end, at + WORD_BYTES_MAX);
    while (groupEnd < latest && ((CLASS[bytes[groupEnd] ?? 0] ?? 0) & IS_DIGIT) !== 0) groupEnd += 1;
    if ((classAt(bytes, groupEnd, end) & IS_LETTER) !== 0) return this.#mixed(state, at, groupEnd);
    if (state.isWhole(at, groupEnd) && state.hints.context === 0 && state.hints.promoted === undefined) {
      return this.#alone(state, at, groupEnd);
    }
    const skipped = this.#quick(state, at, groupEnd);
    if (skipped !== 0) return skipped;
    return this.#number(state, at, groupEnd);
  }

  /** All that a column without a name has in a row: an id, unless it says itself what it is. */
  #alone(state: ScanState, at: number, to: number): number {
    const total = to - at;
    for (const { detector, entity } of strongNumbers(total)) {
      if (detector.bare !== 'always') continue;
      this.#groups.read(state, at);
      if (!detector.valid(state.digits, total)) continue;
      state.add(entity, at, to);
      break;
    }
    return to;
  }

  /** A digit begins a word with letters: a code, a time, or a number with an extension. */
  #mixed(state: ScanState, at: number, groupEnd: number): number {
    const byte = state.bytes[groupEnd] ?? 0;
    if (byte === 120 || byte === 88) {
      const found = this.#number(state, at, groupEnd);
      if (state.floor > at) return found;
    }
    return codeAt(state, at);
  }

  /** What is no candidate, found quickly: dates, decimals, short numbers. 0 for all else. */
  #quick(state: ScanState, at: number, groupEnd: number): number {
    const { bytes, end } = state;
    const behind = bytes[groupEnd] ?? 0;
    const length = groupEnd - at;
    const isJoined = groupEnd + 1 < end && behind >= 32 && behind <= 58 && ((CLASS[behind] ?? 0) & 128) !== 0;
    if (!isJoined && behind !== 58) {
      // A few digits count beside a word only, and not as a part of something longer.
      if (length < 3 || (length < 7 && state.hints.context === 0 && isBoundBefore(state, at)))
        return groupEnd;
      if (length === 3 && state.hints.context === 0)
        return this.#short(state, at, groupEnd) ? state.floor : groupEnd;
      if (length <= 20) return 0;
      return namedSecret(state, at, groupEnd) ? state.floor : groupEnd;
    }
    const time = behind === 58 ? timeEnd(state, at, groupEnd) : 0;
    if (time !== 0) return time;
    const date = dateEnd(state, at, groupEnd);
    if (date !== 0) {
      // The word stands before it, or is the name of the column.
      const context = at === state.begin ? state.hints.context : state.contextAround(at, date);
      if ((context & CONTEXT.BIRTH) !== 0) state.add(DATE_OF_BIRTH, at, date);
      return date;
    }
    if (behind !== DOT || (classAt(bytes, groupEnd + 1, end) & IS_DIGIT) === 0) return 0;
    return this.#decimal(state, at, groupEnd);
  }

  /** `12.3456` alone; 0 where more groups follow. */
  #decimal(state: ScanState, at: number, groupEnd: number): number {
    const { bytes, end } = state;
    let place = groupEnd + 1;
    while (place < groupEnd + DECIMALS_MAX && (classAt(bytes, place, end) & IS_DIGIT) !== 0) place += 1;
    const behind = bytes[place] ?? 0;
    const goesOn =
      place + 1 < end &&
      (behind === DOT || behind === 45 || behind === 47) &&
      (classAt(bytes, place + 1, end) & IS_DIGIT) !== 0;
    if (goesOn) return 0;
    if ((classAt(bytes, place, end) & IS_LETTER) !== 0 && behind !== 101 && behind !== 69) return 0;
    const context = state.hints.context;
    if ((context & CONTEXT.PHONE) !== 0) return 0;
    const isFine = place - groupEnd > 4;
    if (isFine && ((context & CONTEXT.GEO) !== 0 || (state.contextAround(at, place) & CONTEXT.GEO) !== 0)) {
      state.add(GEO, state.byteAt(at - 1) === 45 && at - 1 >= state.floor ? at - 1 : at, place);
    }
    return place;
  }

  #number(state: ScanState, at: number, groupEnd: number): number {
    const groups = this.#groups;
    groups.read(state, at);
    if (groups.count === 0) return groupEnd;
    if (groupedCodeBefore(state, at)) return state.floor;
    if (isJoinedBehind(state, groups.to[groups.count - 1] ?? at) && groupedCodeFrom(state, at))
      return state.floor;
    if (groups.count >= 4 && groups.separator[1] === DOT) {
      const address = ipv4At(state, at);
      if (address !== 0) return address;
    }
    if (this.#international(state, at)) return state.floor;
    for (let count = Math.min(groups.count, WINDOW_GROUPS_MAX); count >= 2; count -= 1) {
      if (this.#window(state, count)) return state.floor;
    }
    if (this.#bare(state, at, groups.to[0] ?? groupEnd)) return state.floor;
    return groups.to[0] ?? groupEnd;
  }

  /** `+` or `00`, a calling code, and at most fifteen digits. */
  #international(state: ScanState, at: number): boolean {
    const groups = this.#groups;
    const { digits } = state;
    const before = state.byteAt(at - 1);
    const hasPlus = before === 43 && at - 1 >= state.floor;
    const hasZeros = !hasPlus && digits[0] === 0 && digits[1] === 0 && groups.lengthOf(0) <= 5;
    if (!hasPlus && !hasZeros) return false;
    const skipped = hasPlus ? 0 : 2;
    for (let count = groups.count; count >= 1; count -= 1) {
      const total = (groups.digitsTo[count - 1] ?? 0) - skipped;
      if (total > PHONE_DIGITS_MAX || total < 7) continue;
      if (hasZeros && count < 3) continue;
      if (callingCodeLength(digits, skipped, total) === 0 || isBoundBefore(state, hasPlus ? at - 1 : at))
        continue;
      // `1+234567890` is a sum.
      if (hasPlus && (classAt(state.bytes, at - 2, state.end) & IS_DIGIT) !== 0 && at - 2 >= state.begin)
        continue;
      this.#addPhone(state, hasPlus ? at - 1 : at, groups.to[count - 1] ?? at);
      return true;
    }
    return false;
  }

  /** The first groups together. */
  #window(state: ScanState, count: number): boolean {
    const groups = this.#groups;
    const total = groups.digitsTo[count - 1] ?? 0;
    if (total > 24) return false;
    const from = groups.from[0] ?? 0;
    const to = groups.to[count - 1] ?? 0;
    let key = 0;
    let isUniform = true;
    for (let group = 0; group < count; group += 1) {
      key = groupKey(key, groups.lengthOf(group));
      if (group > 1 && groups.separator[group] !== groups.separator[1]) isUniform = false;
    }
    if (
      count === 3 &&
      isWrittenDate(state.digits, groups.lengthOf(0), groups.lengthOf(1), groups.lengthOf(2))
    ) {
      if ((state.contextAround(from, to) & CONTEXT.BIRTH) === 0) return false;
      state.add(DATE_OF_BIRTH, from, to);
      return true;
    }
    if (isUniform && this.#card(state, from, to, total, count)) return true;
    const isBound = isBoundBefore(state, from) || isBoundBehind(state, to) || isListed(state, from, to);
    // Telephone numbers first where a word says so: half of all schemes have ten digits.
    const isPhone = (state.hints.context & CONTEXT.PHONE) !== 0;
    if (isPhone && this.#phone(state, from, to, count, key, isBound)) return true;
    if (this.#written(state, from, to, key, count, total, isBound)) return true;
    if (!isPhone && this.#phone(state, from, to, count, key, isBound)) return true;
    return isUniform && !isBound && this.#groups.separator[1] !== 58 && this.#loose(state, from, to, total);
  }

  /** Numbers in the grouping of their country. */
  #written(
    state: ScanState,
    from: number,
    to: number,
    key: number,
    count: number,
    total: number,
    isBound: boolean,
  ): boolean {
    for (const row of writtenNumbers(key)) {
      if (!this.#hasSeparators(row, count) || !row.detector.valid(state.digits, total)) continue;
      const when = row.detector.whenWritten ?? 'context';
      // Beside other groups a weak check is not enough without a word.
      const needed = isBound && row.detector.chance > 0.001 ? 'context' : when;
      if (!state.isCertain(needed, row.entity, row.detector.context, from, to)) continue;
      state.add(row.entity, from, to);
      return true;
    }
    return false;
  }

  #hasSeparators(row: NumberRow, count: number): boolean {
    for (let group = 1; group < count; group += 1) {
      if (this.#groups.separator[group] !== row.separators[group - 1]) return false;
    }
    return true;
  }

  /** Cards that are grouped, as on the card or in some other way. */
  #card(state: ScanState, from: number, to: number, total: number, count: number): boolean {
    if (!mayBeCard(total) || this.#groups.separator[1] === 58) return false;
    if (!isCard(state.digits, total)) return this.#cardOfUnknownNetwork(state, from, to, total);
    const isLong = total >= 14 && this.#groups.lengthOf(0) >= 2 && count <= 5;
    if (!state.isCertain(isLong ? 'always' : 'context', CREDIT_CARD, CONTEXT.CARD, from, to)) return false;
    state.add(CREDIT_CARD, from, to);
    return true;
  }

  /** The check digit is right, and a word says that it is a card. */
  #cardOfUnknownNetwork(state: ScanState, from: number, to: number, total: number): boolean {
    if (!luhn(state.digits, total) || (state.contextAround(from, to) & CONTEXT.CARD) === 0) return false;
    state.add(CREDIT_CARD, from, to);
    return true;
  }

  /** A number of another scheme, grouped in a way of its own, where a word says what it is. */
  #loose(state: ScanState, from: number, to: number, total: number): boolean {
    const context = state.contextAround(from, to);
    if (context === 0) return false;
    for (const row of bareNumbers(total)) {
      if ((row.detector.context & context) === 0 || !row.detector.valid(state.digits, total)) continue;
      state.add(row.entity, from, to);
      return true;
    }
    return this.#named(state, from, to, total);
  }

  /** Digits without separators. */
  #bare(state: ScanState, at: number, to: number): boolean {
    const total = to - at;
    if (total > 20 || isInWord(state, at)) return false;
    if (total < 4) return this.#short(state, at, to);
    if (mayBeCard(total) && isCard(state.digits, total)) {
      const isReference = (state.contextAround(at, to) & CONTEXT.REFERENCE) !== 0;
      const isBound = isBoundBefore(state, at) || isBoundBehind(state, to);
      const when = total >= 13 && !isReference && !isBound ? 'text' : 'context';
      if (state.isCertain(when, CREDIT_CARD, CONTEXT.CARD, at, to)) {
        state.add(CREDIT_CARD, at, to);
        return true;
      }
    }
    if (mayBeCard(total) && this.#cardOfUnknownNetwork(state, at, to, total)) return true;
    const context = state.contextAround(at, to);
    const isAny = (context & contextOfNumbers(total)) !== 0 || state.hints.promoted !== undefined;
    for (const row of isAny ? bareNumbers(total) : strongNumbers(total)) {
      if (!state.isCertain(row.detector.bare, row.entity, row.detector.context, at, to)) continue;
      if (!row.detector.valid(state.digits, total)) continue;
      state.add(row.entity, at, to);
      return true;
    }
    return (
      this.#barePhone(state, at, to, total) || this.#named(state, at, to, total) || this.#short(state, at, to)
    );
  }

  #barePhone(state: ScanState, at: number, to: number, total: number): boolean {
    if (total > PHONE_DIGITS_MAX) return false;
    const isNamed = (state.hints.context & CONTEXT.PHONE) !== 0;
    if (!isNamed && (total < 7 || (state.contextAround(at, to) & CONTEXT.PHONE) === 0)) return false;
    if (!isNamed && isBoundBefore(state, at)) return false;
    this.#addPhone(state, at, to);
    return true;
  }

  /**
   * A wrong check digit does not clear a value in a column whose name says what it holds: who mistypes the
   * number of a person still names that person.
   */
  #named(state: ScanState, from: number, to: number, total: number): boolean {
    const { context } = state.hints;
    let entity = -1;
    if ((context & CONTEXT.CARD) !== 0 && total >= 12 && total <= 19) entity = CREDIT_CARD;
    else if ((context & (CONTEXT.NATIONAL_ID | CONTEXT.TRAVEL | CONTEXT.DRIVING)) !== 0 && total >= 6)
      entity = NATIONAL_ID;
    if (entity === -1) return false;
    state.add(entity, from, to);
    return true;
  }

  /** Three or four digits: only beside a word that says what they are. */
  #short(state: ScanState, at: number, to: number): boolean {
    if (to - at > 4 || to - at < 3) return false;
    if ((state.contextAround(at, to) & CONTEXT.CARD_EXTRA) === 0) return false;
    state.add(CVV, at, to);
    return true;
  }

  /** Groups as people write telephone numbers, of a country that is looked for or beside a word. */
  #phone(state: ScanState, from: number, to: number, count: number, key: number, isBound: boolean): boolean {
    const groups = this.#groups;
    const total = groups.digitsTo[count - 1] ?? 0;
    if (total < 6 || total > PHONE_DIGITS_MAX || count > 7) return false;
    for (let group = 1; group < count; group += 1) {
      if (groups.separator[group] === 58 || groups.separator[group] === 43) return false;
    }
    if ((state.hints.context & CONTEXT.PHONE) === 0) {
      if (isBound) return false;
      const context = state.contextAround(from, to);
      const isNamed = (context & CONTEXT.PHONE) !== 0;
      if (!isNamed && !this.#isDialled(state, from, count, key, context)) return false;
    }
    this.#addPhone(state, from, to);
    return true;
  }

  /** Without a word that says so: grouped as a country groups its numbers, and a number there. */
  #isDialled(state: ScanState, from: number, count: number, key: number, context: number): boolean {
    const groups = this.#groups;
    const total = groups.digitsTo[count - 1] ?? 0;
    if ((context & ~CONTEXT.CALL & ~CONTEXT.EMAIL & ~CONTEXT.PERSON & ~CONTEXT.ADDRESS) !== 0) return false;
    if (!this.#looksDialled(count)) return false;
    const isOpen = state.byteAt(from - 1) === 40;
    const hasSpaces = groups.separator[1] === SPACE && !isOpen;
    if ((wordsBehind(state, groups.to[count - 1] ?? from) & CONTEXT.CALL) !== 0) return true;
    if ((context & CONTEXT.CALL) !== 0 && (count >= 3 || isOpen || (!hasSpaces && total >= 7))) return true;
    if (total >= 7 && (isOpen || this.#isNorthAmerican(state, count, key))) return true;
    // A postcode and a number of a house are two groups, too.
    if (count === 2 && hasSpaces && (state.digits[0] !== 0 || total < 10)) return false;
    return total >= 7 && this.#phones.isNational(state.digits, total, key);
  }

  /** `415-555-0132`, `415.555.0132`, or an extension behind it: nobody writes anything else so. */
  #isNorthAmerican(state: ScanState, count: number, key: number): boolean {
    const groups = this.#groups;
    const to = groups.to[count - 1] ?? 0;
    const behind = state.byteAt(to);
    const hasExtension =
      (behind === 120 || behind === 88) && (classAt(state.bytes, to + 1, state.end) & IS_DIGIT) !== 0;
    if (hasExtension) return true;
    const separator = groups.separator[1];
    return (
      key === NORTH_AMERICAN && separator === groups.separator[2] && (separator === 45 || separator === DOT)
    );
  }

  /** No decimals, no address of a network, no list of short numbers, no amount. */
  #looksDialled(count: number): boolean {
    const groups = this.#groups;
    let short = 0;
    let isAmount = groups.lengthOf(0) <= 3;
    let isAddress = count === 4;
    for (let group = 0; group < count; group += 1) {
      const length = groups.lengthOf(group);
      const separator = groups.separator[group];
      if (length > 8 || (group > 1 && separator === 47)) return false;
      if (length === 1) short += 1;
      if (length > 3 || (group > 0 && separator !== DOT)) isAddress = false;
      if (group > 0 && separator === DOT && count < 3) return false;
      if (group > 0 && (length !== 3 || (separator !== SPACE && separator !== DOT))) isAmount = false;
    }
    // 1 234 567 is an amount; 020 123 456 begins with a zero.
    if (isAmount && groups.lengthOf(0) < 3) return false;
    return short <= 1 && !isAddress && groups.lengthOf(count - 1) >= 2;
  }

  #addPhone(state: ScanState, from: number, to: number): void {
    const { bytes, end } = state;
    let first = from;
    if (state.byteAt(first - 1) === 40 && first - 1 >= state.floor) first -= 1;
    if (state.byteAt(first - 1) === 43 && first - 1 >= state.floor) first -= 1;
    // An extension: `x4587`, ` x 4587`, ` ext. 4587`.
    let place = to;
    if (bytes[place] === 32) place += 1;
    const isWord = (bytes[place] ?? 0) === 101 && bytes[place + 1] === 120 && bytes[place + 2] === 116;
    if (isWord) place += bytes[place + 3] === DOT ? 4 : 3;
    else if (bytes[place] === 120 || bytes[place] === 88) place += 1;
    else place = end;
    if (bytes[place] === 32) place += 1;
    let last = place;
    while (last < place + 6 && (classAt(bytes, last, end) & IS_DIGIT) !== 0) last += 1;
    state.add(PHONE, first, last > place && place < end ? last : to);
  }
}

/** Bits of the word right behind a place: `455 6186 office`. */
function wordsBehind(state: ScanState, to: number): number {
  return contextOfWordAt(state.bytes, to, state.end);
}

/** Whether groups that a space separates are part of a longer list of such groups. */
function isListed(state: ScanState, from: number, to: number): boolean {
  const { bytes } = state;
  let hasSpace = false;
  for (let at = from; at < to; at += 1) if (bytes[at] === SPACE) hasSpace = true;
  if (!hasSpace) return false;
  const isBefore =
    state.byteAt(from - 1) === SPACE && isWordByte(state.byteAt(from - 2)) && isInNumbers(state, from - 2);
  return isBefore || (state.byteAt(to) === SPACE && (classAt(bytes, to + 1, state.end) & IS_DIGIT) !== 0);
}

function isWordByte(byte: number): boolean {
  return ((CLASS[byte] ?? 0) & (IS_LETTER | IS_DIGIT)) !== 0;
}

/** Whether the word that ends at a place has a digit: `A471`, `0110`. */
function isInNumbers(state: ScanState, last: number): boolean {
  for (let at = last; at >= state.begin && at > last - 8 && isWordByte(state.byteAt(at)); at -= 1) {
    if (((CLASS[state.byteAt(at)] ?? 0) & IS_DIGIT) !== 0) return true;
  }
  return false;
}

/** Whether digits without separators go on before their beginning. */
function isInWord(state: ScanState, at: number): boolean {
  const before = state.byteAt(at - 1);
  return before < 0x80 && ((CLASS[before] ?? 0) & (IS_LETTER | IS_DIGIT)) !== 0 && at > state.begin;
}
