/**
 * `fpe` of texts and decimals: digits become digits, letters letters or digits, everything else stays.
 *
 * Spec: spec/masking-operators.md, section 1. Where a value has too few digits for FF1, nothing is returned
 * and the value is redacted.
 */

import type { FormatPreserving } from './operator.ts';
import { type Direction, isPermutable, permuteDigits, walk } from './permutation.ts';
import type { PurposeKeys } from './key-ring.ts';

const CHARACTERS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** What of a value is put in the place of what. */
interface Alphabet {
  readonly radix: number;
  readonly digitOf: (character: string) => number;
  readonly characterOf: (digit: number) => string;
}

const DECIMAL: Alphabet = alphabet('0123456789');
const HEX: Alphabet = alphabet('0123456789abcdef');
const LOWER: Alphabet = alphabet(CHARACTERS.slice(0, 36));
const UPPER: Alphabet = alphabet(CHARACTERS.slice(0, 36).toUpperCase());
const MIXED: Alphabet = alphabet(CHARACTERS);

/** Cards show what PCI DSS lets be shown: bank and last four digits, as far as six are left to change. */
const CARD = { first: 6, last: 4, changedMin: 6 } as const;

/** The text in the place of this one. */
export function permuteText(
  direction: Direction,
  keys: PurposeKeys,
  entity: string,
  text: string,
  operator: FormatPreserving,
): string | undefined {
  // A letter of no alphabet here would stay, and show.
  if (/[^\x20-\x7e]/.test(text)) return undefined;
  const used = alphabetOf(text);
  const characters = Array.from(text).filter((character) => used.digitOf(character) !== -1);
  const [first, last] = entity === 'CREDIT_CARD' && used === DECIMAL ? cardEnds(characters.length) : [0, 0];
  const end = characters.length - last;
  const head = characters.slice(0, first).join('');
  const tail = characters.slice(end).join('');
  const changed = characters.slice(first, end).map(used.digitOf);
  if (!isPermutable(used.radix, changed.length)) return undefined;
  const tweak = `text\0${entity}\0${head}\0${tail}`;
  const wanted = operator.luhn === true ? passesLuhn(characters.join('')) : undefined;
  function isAlike(digits: readonly number[]): boolean {
    const whole = head + textOf(digits, used) + tail;
    // The way back has to find the same alphabet.
    return alphabetOf(whole) === used && (wanted === undefined || passesLuhn(whole) === wanted);
  }
  const permuted = walk(
    (digits) => permuteDigits(direction, keys.permutation, tweak, digits, used.radix),
    changed,
    isAlike,
  );
  return permuted === undefined ? undefined : filledIn(text, used, head + textOf(permuted, used) + tail);
}

/** A UUID in the place of this one; its version and variant stay. `digits` are 32 of base 16. */
export function permuteUuid(direction: Direction, keys: PurposeKeys, entity: string, digits: string): string {
  const [version, variant] = [digits.charAt(12), digits.charAt(16)];
  const free = digits.slice(0, 12) + digits.slice(13, 16) + digits.slice(17);
  const tweak = `uuid\0${entity}\0${version}${variant}`;
  const permuted = textOf(
    permuteDigits(direction, keys.permutation, tweak, Array.from(free, HEX.digitOf), HEX.radix),
    HEX,
  );
  return permuted.slice(0, 12) + version + permuted.slice(12, 15) + variant + permuted.slice(15);
}

/** A whole number without a leading zero in the place of this one, of as many digits. */
export function permuteDecimal(
  direction: Direction,
  keys: PurposeKeys,
  entity: string,
  digits: string,
): string | undefined {
  // The first digit takes nine values, and not ten.
  if (!isPermutable(DECIMAL.radix, digits.length - 1) || !isPermutable(DECIMAL.radix, digits.length)) {
    return undefined;
  }
  const permuted = walk(
    (value) => permuteDigits(direction, keys.permutation, `numeric\0${entity}`, value, DECIMAL.radix),
    Array.from(digits, DECIMAL.digitOf),
    (value) => value[0] !== 0,
  );
  return permuted === undefined ? undefined : textOf(permuted, DECIMAL);
}

/** ISO/IEC 7812-1, Annex B. */
export function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits.charAt(digits.length - 1 - i));
    const weighted = i % 2 === 0 ? digit : 2 * digit;
    sum += weighted > 9 ? weighted - 9 : weighted;
  }
  return sum % 10 === 0;
}

function cardEnds(length: number): readonly [first: number, last: number] {
  return [Math.max(0, Math.min(CARD.first, length - CARD.last - CARD.changedMin)), CARD.last];
}

/** The smallest alphabet that has all letters and digits of a text, so that the form stays. */
function alphabetOf(text: string): Alphabet {
  if (!/[a-z]/i.test(text)) return DECIMAL;
  if (!/[A-Z]/.test(text)) return LOWER;
  return /[a-z]/.test(text) ? MIXED : UPPER;
}

function alphabet(characters: string): Alphabet {
  return {
    radix: characters.length,
    digitOf: (character) => characters.indexOf(character),
    characterOf: (digit) => characters.charAt(digit),
  };
}

function textOf(digits: readonly number[], { characterOf }: Alphabet): string {
  return digits.map(characterOf).join('');
}

/** The text with its letters and digits replaced in their order. */
function filledIn(text: string, { digitOf }: Alphabet, characters: string): string {
  let next = 0;
  return Array.from(text, (character) =>
    digitOf(character) === -1 ? character : characters.charAt(next++),
  ).join('');
}
