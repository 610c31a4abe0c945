/**
 * Names under which words of personal data go to a reranker: for one word the same one each time, so that what
 * matched before matches still.
 *
 * Spec: spec/masking.md, section 19. A word is what a lexical reranker takes for one: a run of letters, marks and
 * digits, in NFKC and small letters. Its name is one such word (operators/pseudonym-names.ts), with the capitals of
 * the word that it stands for, or with others where those are another spelling's: so each spelling is had back as it
 * was. Nothing can be had back but with the map of the request in which it was made.
 */

import { CountersignError } from '../../core/errors.ts';
import { PSEUDONYM_LIMITS as LIMITS } from '../../core/http-body-limits.ts';
import type { PurposeKeys } from '../operators/key-ring.ts';
import { PSEUDONYM_LENGTH, pseudonymOf } from '../operators/pseudonym-names.ts';

/** Runs of letters, marks and digits. */
const WORD = /[\p{L}\p{M}\p{N}]+/gu;
const PARTS_MAX = 4_096;
/** Ways to write one name with capitals. */
const CAPITALS = 2 ** PSEUDONYM_LENGTH;

export interface Word {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

/** The words of a text as they are written, and where. One by one: a text may have millions. */
export function* wordsIn(text: string): Generator<Word, void> {
  for (const { 0: word, index } of text.matchAll(WORD)) {
    yield { text: word, from: index, to: index + word.length };
  }
}

/** What two words have in common that a reranker takes for one. */
export function wordKey(word: string): string {
  return word.normalize('NFKC').toLowerCase();
}

/** Of one request on one connection. Owned by whoever sends it. */
export class Pseudonyms {
  readonly #keys: PurposeKeys;
  readonly #connection: string;
  /** By what a reranker takes for one word, in small letters. */
  readonly #names = new Map<string, string>();
  readonly #taken = new Set<string>();
  /** How each spelling of a word is sent, and what each that is sent stands for. */
  readonly #sent = new Map<string, string>();
  readonly #originals = new Map<string, string>();
  /** Of each name, the ways with other capitals that were tried: never again, so that many spellings take no longer. */
  readonly #tried = new Map<string, number>();

  /** @param connection its name: the pseudonyms of two connections have nothing in common */
  constructor(keys: PurposeKeys, connection: string) {
    this.#keys = keys;
    this.#connection = connection;
  }

  /** Words that have one. */
  get wordsCount(): number {
    return this.#names.size;
  }

  /** Gives a word one. Throws LIMIT_EXCEEDED. */
  add(word: string): void {
    const key = wordKey(word);
    if (!this.#names.has(key)) this.#name(key);
  }

  /** The text with every word that has a pseudonym under it; undefined where there is none. */
  replaced(text: string): string | undefined {
    return this.#changed(text, (word) => this.#sentAs(word));
  }

  /** What a text stands for that an answer repeats, whole or in part; undefined where there is no pseudonym in it. */
  restored(text: string): string | undefined {
    return this.#changed(text, (word) => this.#originals.get(word));
  }

  #changed(text: string, instead: (word: string) => string | undefined): string | undefined {
    let parts: string[] = [];
    let copied = 0;
    let length = text.length;
    for (const { text: word, from, to } of wordsIn(text)) {
      const other = instead(word);
      if (other === undefined) continue;
      parts.push(text.slice(copied, from), other);
      copied = to;
      length += other.length - word.length;
      if (length > LIMITS.changedCharactersMax)
        throw tooMany('pseudonym.changedCharactersMax', LIMITS.changedCharactersMax);
      // Millions of pieces take more memory than what they make.
      if (parts.length >= PARTS_MAX) parts = [parts.join('')];
    }
    if (parts.length === 0) return undefined;
    parts.push(text.slice(copied));
    return parts.join('');
  }

  #sentAs(word: string): string | undefined {
    const known = this.#sent.get(word);
    if (known !== undefined) return known;
    const key = wordKey(word);
    // A word that is written as a pseudonym of another goes under one of its own.
    const name = this.#names.get(key) ?? (this.#taken.has(key) ? this.#name(key) : undefined);
    if (name === undefined) return undefined;
    this.#checkRoom(this.#sent.size);
    const written = this.#unusedSpelling(name, capitalsOf(word));
    this.#sent.set(word, written);
    this.#originals.set(written, word);
    return written;
  }

  #name(key: string): string {
    this.#checkRoom(this.#names.size);
    let name = pseudonymOf(this.#keys, this.#connection, key);
    // Two words must not become one: it would change the order.
    for (let turn = 1; this.#taken.has(name); turn += 1) {
      name = pseudonymOf(this.#keys, this.#connection, `${key}\0${turn}`);
    }
    this.#taken.add(name);
    this.#names.set(key, name);
    return name;
  }

  /** Rerankers do not look at capitals, and people do. Throws LIMIT_EXCEEDED where every way is another spelling's. */
  #unusedSpelling(name: string, capitals: number): string {
    const own = spelled(name, capitals);
    if (!this.#originals.has(own)) return own;
    for (let turn = this.#tried.get(name) ?? 0; turn < CAPITALS; turn += 1) {
      const written = spelled(name, turn);
      if (this.#originals.has(written)) continue;
      this.#tried.set(name, turn + 1);
      return written;
    }
    throw tooMany('pseudonym.spellings', CAPITALS);
  }

  #checkRoom(count: number): void {
    if (count >= LIMITS.wordsMax) throw tooMany('pseudonym.wordsMax', LIMITS.wordsMax);
  }
}

/** A bit for each letter of a name: whether the word has a capital there. */
function capitalsOf(word: string): number {
  let capitals = 0;
  for (let index = 0; index < PSEUDONYM_LENGTH; index += 1) {
    const letter = word.charAt(index);
    if (letter !== letter.toLowerCase()) capitals |= 1 << index;
  }
  return capitals;
}

function spelled(name: string, capitals: number): string {
  let written = '';
  for (let index = 0; index < name.length; index += 1) {
    const letter = name.charAt(index);
    written += (capitals & (1 << index)) === 0 ? letter : letter.toUpperCase();
  }
  return written;
}

function tooMany(limit: string, allowed: number): CountersignError {
  return new CountersignError('LIMIT_EXCEEDED', { limit, allowed, actual: allowed + 1 });
}
