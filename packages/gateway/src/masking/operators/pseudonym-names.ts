/**
 * What a pseudonym of a word is written as, and how one is told from a word.
 *
 * Spec: spec/masking.md, section 19. Twelve consonants, of which no stemmer takes a part off: nine of
 * HMAC-SHA-256(key of hashes, "pseudonym" ‖ 0x00 ‖ connection ‖ 0x00 ‖ word), and three of an HMAC over those under
 * the key of checks. Untrusted: words that are asked about.
 */

import type { PurposeKeys } from './key-ring.ts';
import { utf8Bytes } from './text-encoding.ts';
import { keyed } from './tokens.ts';

/** Without vowels nothing is a word of a language, nor a stop word; without `s` nothing is a plural. */
const LETTERS = 'bcdfghjkmnpqrtvwxz';
const BODY_LENGTH = 9;
const CHECK_LENGTH = 3;
export const PSEUDONYM_LENGTH: number = BODY_LENGTH + CHECK_LENGTH;

/** Whatever is written as one, in either case, and is a whole word of ASCII. */
export const PSEUDONYM_FORM: RegExp = new RegExp(
  `(?<![0-9A-Za-z])[${LETTERS}]{${PSEUDONYM_LENGTH}}(?![0-9A-Za-z])`,
  'gi',
);

/** 1 for what one is written with. */
export const OF_PSEUDONYM: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  LETTERS.includes(String.fromCharCode(byte).toLowerCase()) ? 1 : 0,
);

/**
 * The pseudonym of a word, in small letters.
 *
 * @param connection its name: the pseudonyms of two connections have nothing in common
 * @param word as it is compared, not as it is written
 */
export function pseudonymOf(keys: PurposeKeys, connection: string, word: string): string {
  const body = lettersOf(keyed(keys.hash, 'pseudonym', connection, utf8Bytes(word)), BODY_LENGTH);
  return body + checkOf(keys, body);
}

/** The key that made one, of whatever connection; undefined for what only looks like one. */
export function keyOfPseudonym(all: readonly PurposeKeys[], found: string): PurposeKeys | undefined {
  const name = found.toLowerCase();
  const [body, check] = [name.slice(0, BODY_LENGTH), name.slice(BODY_LENGTH)];
  return all.find((keys) => checkOf(keys, body) === check);
}

function checkOf(keys: PurposeKeys, body: string): string {
  return lettersOf(keyed(keys.check, 'pseudonym', '', utf8Bytes(body)), CHECK_LENGTH);
}

function lettersOf(digest: Uint8Array, length: number): string {
  let letters = '';
  for (const byte of digest.subarray(0, length)) letters += LETTERS.charAt(byte % LETTERS.length);
  return letters;
}
