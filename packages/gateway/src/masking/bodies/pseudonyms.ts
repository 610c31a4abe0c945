/**
 * Names under which words of personal data go to a reranker: for one word the same one each time, so that what
 * matched before matches still.
 *
 * Spec: spec/masking.md, section 17. A word is what a lexical reranker takes for one: a run of letters, marks and
 * digits, in NFKC and small letters. A pseudonym is one such word of 13 consonants, of which no stemmer takes a
 * part off, with the capitals of the word that it stands for. It is
 * HMAC-SHA-256(key of hashes, "pseudonym" ‖ 0x00 ‖ connection ‖ 0x00 ‖ word); nothing can be had back from it but
 * with the map of the request in which it was made.
 */

import { CountersignError } from '../../core/errors.ts';
import { PSEUDONYM_LIMITS } from '../../core/http-body-limits.ts';
import type { PurposeKeys } from '../operators/key-ring.ts';
import { utf8Bytes } from '../operators/text-encoding.ts';
import { keyed } from '../operators/tokens.ts';

/** Runs of letters, marks and digits. */
const WORD = /[\p{L}\p{M}\p{N}]+/gu;
/** Without vowels nothing is a word of a language, nor a stop word; without `s` nothing is a plural. */
const LETTERS = 'bcdfghjkmnpqrtvwxz';
const LENGTH = 13;

export interface Word {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

/** The words of a text as they are written, and where. */
export function wordsIn(text: string): readonly Word[] {
  return Array.from(text.matchAll(WORD), ({ 0: word, index }) => ({
    text: word,
    from: index,
    to: index + word.length,
  }));
}

/** What two words have in common that a reranker takes for one. */
export function wordKey(word: string): string {
  return word.normalize('NFKC').toLowerCase();
}

/** Of one request on one connection. Owned by whoever sends it. */
export class Pseudonyms {
  readonly #keys: PurposeKeys;
  readonly #connection: string;
  readonly #made = new Map<string, string>();
  readonly #taken = new Set<string>();
  /** What each stands for, as it was first written. */
  readonly #originals = new Map<string, string>();
  readonly #texts = new Map<string, string>();

  /** @param connection its name: the pseudonyms of two connections have nothing in common */
  constructor(keys: PurposeKeys, connection: string) {
    this.#keys = keys;
    this.#connection = connection;
  }

  /** Words that have one. */
  get wordsCount(): number {
    return this.#made.size;
  }

  /** Gives a word one. */
  add(word: string): void {
    const key = wordKey(word);
    if (this.#made.has(key)) return;
    if (this.#made.size === PSEUDONYM_LIMITS.wordsMax) {
      throw new CountersignError('LIMIT_EXCEEDED', {
        limit: 'pseudonym.wordsMax',
        allowed: PSEUDONYM_LIMITS.wordsMax,
        actual: this.#made.size + 1,
      });
    }
    let name = this.#name(key);
    // Two words must not become one: it would change the order.
    for (let turn = 1; this.#taken.has(name); turn += 1) name = this.#name(`${key}\0${turn}`);
    this.#taken.add(name);
    this.#made.set(key, name);
  }

  /** The text with every word that has a pseudonym under it; undefined where there is none. */
  replaced(text: string): string | undefined {
    let result = '';
    let copied = 0;
    for (const { text: word, from, to } of wordsIn(text)) {
      const name = this.#made.get(wordKey(word));
      if (name === undefined) continue;
      const written = capitalsOf(word, name);
      if (!this.#originals.has(written)) this.#originals.set(written, word);
      result += text.slice(copied, from) + written;
      copied = to;
    }
    if (copied === 0) return undefined;
    result += text.slice(copied);
    if (this.#texts.size < PSEUDONYM_LIMITS.textsMax) this.#texts.set(result, text);
    return result;
  }

  /** What a text stands for that an answer repeats, whole or in part; undefined where there is no pseudonym in it. */
  restored(text: string): string | undefined {
    const whole = this.#texts.get(text);
    if (whole !== undefined) return whole;
    let result = '';
    let copied = 0;
    for (const { text: word, from, to } of wordsIn(text)) {
      const original = this.#originals.get(word);
      if (original === undefined) continue;
      result += text.slice(copied, from) + original;
      copied = to;
    }
    return copied === 0 ? undefined : result + text.slice(copied);
  }

  #name(value: string): string {
    const digest = keyed(this.#keys.hash, 'pseudonym', this.#connection, utf8Bytes(value));
    let name = '';
    for (let index = 0; index < LENGTH; index += 1) {
      name += LETTERS.charAt((digest[index] ?? 0) % LETTERS.length);
    }
    return name;
  }
}

/** The name with capitals where the word has them: rerankers do not look at them, and people do. */
function capitalsOf(word: string, name: string): string {
  let written = '';
  for (let index = 0; index < name.length; index += 1) {
    const letter = word.charAt(index);
    written += letter === letter.toLowerCase() ? name.charAt(index) : name.charAt(index).toUpperCase();
  }
  return written;
}
