/**
 * Names and neighbouring words → what a value is about, as bits of {@link CONTEXT}.
 *
 * Words are looked up by a hash over their bytes, so that nothing is allocated on the way.
 */

import { CLASS, IS_DIGIT, IS_LOWER, IS_UPPER } from './byte-classes.ts';
import { CONTEXT, type ContextName, PAIRS, WORDS } from './lexicon.ts';

/** How far before a value words are believed, in bytes; a word that begins there is read whole. */
const BEFORE_BYTES = 40;
/** And how far behind it. */
const AFTER_BYTES = 16;
/** No word of the lexicon is longer. */
const WORD_BYTES_MAX = 60;
/** And none of a script without spaces has more than eight characters. */
const UNSPACED_BYTES_MAX = 24;

/** Slots of the table of words; a power of two, four times as many as there are words. */
const SLOTS = 4_096;
const hashes = new Int32Array(SLOTS);
const nameBits = new Int32Array(SLOTS);
const proseBits = new Int32Array(SLOTS);
const FNV_OFFSET = 0x811c_9dc5 | 0;
const FNV_PRIME = 0x0100_0193;

const encoder = new TextEncoder();

function hashStep(hash: number, byte: number): number {
  return Math.imul(hash ^ (byte >= 65 && byte <= 90 ? byte + 32 : byte), FNV_PRIME);
}

/** FNV-1a, of letters without regard to case; never 0, which marks a free slot. */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = FNV_OFFSET;
  for (let at = from; at < to; at += 1) hash = hashStep(hash, bytes[at] ?? 0);
  return hash === 0 ? 1 : hash;
}

function slotOf(hash: number): number {
  let slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
  while (hashes[slot] !== 0 && hashes[slot] !== hash) slot = (slot + 1) & (SLOTS - 1);
  return slot;
}

/** Two first letters → a bit for each length of such words in the lexicon; most words of a text are not hashed. */
const LIKELY = new Int32Array(1_024);

function isLikelyWord(first: number, second: number, length: number): boolean {
  const lengths = LIKELY[((first & 31) << 5) | (second & 31)] ?? 0;
  return ((lengths >>> (length < 31 ? length : 31)) & 1) !== 0;
}

function learn(word: string, bits: number, inProse: boolean): void {
  const bytes = encoder.encode(word);
  const pair = (((bytes[0] ?? 0) & 31) << 5) | ((bytes[1] ?? 0) & 31);
  LIKELY[pair] = (LIKELY[pair] ?? 0) | (1 << Math.min(bytes.length, 31));
  const hash = hashOf(bytes, 0, bytes.length);
  const slot = slotOf(hash);
  hashes[slot] = hash;
  nameBits[slot] = (nameBits[slot] ?? 0) | bits;
  if (inProse) proseBits[slot] = (proseBits[slot] ?? 0) | bits;
}

const CONTEXT_NAMES: readonly ContextName[] = [
  'EMAIL',
  'PHONE',
  'NATIONAL_ID',
  'CARD',
  'BANK',
  'PERSON',
  'BIRTH',
  'ADDRESS',
  'HEALTH',
  'AUTH',
  'GEO',
  'USER_ID',
  'NETWORK',
  'VEHICLE',
  'TRAVEL',
  'DRIVING',
  'CRYPTO',
  'COMPANY',
  'DEVICE',
  'POSTCODE',
  'CARD_EXTRA',
  'REFERENCE',
  'VOTER',
  'CALL',
];

for (const name of CONTEXT_NAMES) {
  for (const word of WORDS[name].split(' ')) {
    if (word !== '') learn(word.replace('*', ''), CONTEXT[name], !word.endsWith('*'));
  }
}

const pairs = new Map<string, number>();
for (const [first, second, name] of PAIRS) {
  const key = `${first} ${second}`;
  pairs.set(key, (pairs.get(key) ?? 0) | CONTEXT[name]);
  learn(first + second, CONTEXT[name], true);
}

/** The parts of an identifier, in lower case: `userSSN`, `user_ssn` and `User-SSN` are `user`, `ssn`. */
export function splitIdentifier(name: string): readonly string[] {
  return name
    .normalize('NFKC')
    .replace(/(\p{Ll}|\d)(\p{Lu})/gu, '$1 $2')
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
    .split(/[^\p{L}\p{N}]+/u)
    .filter((part) => part !== '')
    .map((part) => part.toLowerCase());
}

/**
 * What names say about a value: of a table and a column, of the members on the way to a value in JSON, of
 * a header.
 *
 * @example
 * contextOfNames('customers', 'cust-phone-no') === CONTEXT.PHONE
 */
export function contextOfNames(...names: readonly string[]): number {
  let bits = 0;
  for (const name of names) {
    const parts = splitIdentifier(name);
    for (const [at, part] of parts.entries()) {
      bits |= bitsOf(part) | bitsOf(part.replace(/\d+$/, ''));
      const next = parts[at + 1];
      if (next !== undefined) bits |= (pairs.get(`${part} ${next}`) ?? 0) | bitsOf(part + next);
    }
    bits |= bitsOf(parts.join(''));
  }
  return bits;
}

function bitsOf(word: string): number {
  const bytes = encoder.encode(word);
  return nameBits[slotOf(hashOf(bytes, 0, bytes.length))] ?? 0;
}

/** Of each byte: 0 between words, 1 a small letter or a byte beyond ASCII, 2 a capital, 3 a digit. */
const KIND = new Uint8Array(256);
for (let byte = 0; byte < 256; byte += 1) {
  const bits = CLASS[byte] ?? 0;
  if (byte >= 0x80 || (bits & IS_LOWER) !== 0) KIND[byte] = 1;
  else if ((bits & IS_UPPER) !== 0) KIND[byte] = 2;
  else if ((bits & IS_DIGIT) !== 0) KIND[byte] = 3;
}
const SMALL = 1;
const CAPITAL = 2;

/** Words with a meaning that are remembered; no more lie near one value. A power of two. */
const REMEMBERED = 128;

/**
 * The words of one text that say something, read once and from left to right, and only where somebody asks.
 */
export class WordIndex {
  #bytes: Uint8Array = new Uint8Array(0);
  #begin = 0;
  #end = 0;
  /** Up to here words were read; always between words. */
  #readTo = 0;
  #count = 0;
  readonly #from = new Int32Array(REMEMBERED);
  readonly #to = new Int32Array(REMEMBERED);
  readonly #bits = new Int32Array(REMEMBERED);

  /** Forgets everything: another text. */
  open(bytes: Uint8Array, begin: number, end: number): void {
    this.#bytes = bytes;
    this.#begin = begin;
    this.#end = end;
    this.#readTo = begin;
    this.#count = 0;
  }

  /**
   * What the words say that end within 40 bytes before a value, or begin within 16 behind it. A word counts
   * whole: not one that goes on into the value.
   */
  around(from: number, to: number): number {
    const behind = to + AFTER_BYTES;
    if (this.#readTo < behind) this.#read(from, behind);
    let bits = 0;
    const oldest = Math.max(0, this.#count - REMEMBERED);
    for (let index = this.#count - 1; index >= oldest; index -= 1) {
      const slot = index & (REMEMBERED - 1);
      const wordFrom = this.#from[slot] ?? 0;
      const wordTo = this.#to[slot] ?? 0;
      if (wordTo <= from) {
        if (wordTo <= from - BEFORE_BYTES) break;
        bits |= this.#bits[slot] ?? 0;
      } else if (wordFrom >= to && wordFrom < behind) {
        bits |= this.#bits[slot] ?? 0;
      }
    }
    return bits;
  }

  #read(from: number, behind: number): void {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = this.#readTo;
    const first = Math.max(this.#begin, from - BEFORE_BYTES - WORD_BYTES_MAX);
    if (at < first) {
      // Nobody asked about what lies between.
      at = first;
      while (at < end && KIND[bytes[at] ?? 0] !== 0) at += 1;
    }
    while (at < behind && at < end) {
      const kind = KIND[bytes[at] ?? 0] ?? 0;
      if (kind !== 0) at = this.#word(at, kind);
      else at += 1;
    }
    this.#readTo = at;
  }

  /** Reads the word at a place; its end. */
  #word(start: number, firstKind: number): number {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = start;
    let humps = 0;
    let isCapital = true;
    let kind = firstKind;
    while (at < end) {
      const next = KIND[bytes[at] ?? 0] ?? 0;
      if (next === 0) break;
      if (next !== kind && !(kind === CAPITAL && next === SMALL && at === start + 1)) humps += 1;
      if (next !== CAPITAL) isCapital = false;
      kind = next;
      at += 1;
    }
    const isUnspaced = (bytes[start] ?? 0) >= 0xe0;
    // Without spaces a word is as long as a sentence.
    if (at - start > WORD_BYTES_MAX && !isUnspaced) return at;
    const isLikely = isLikelyWord(bytes[start] ?? 0, bytes[start + 1] ?? 0, at - start);
    if (!isLikely && humps === 0 && !isUnspaced) return at;
    const slot = slotOf(hashOf(bytes, start, at));
    let bits = (isCapital ? nameBits[slot] : proseBits[slot]) ?? 0;
    if (isUnspaced) this.#unspaced(start, at);
    else if (humps > 0) bits |= bitsOfHumps(bytes, start, at);
    if (bits !== 0) this.#remember(start, at, bits);
    return at;
  }

  /** Scripts that write no spaces: every part of the text may be a word. Eight characters of three bytes. */
  #unspaced(from: number, to: number): void {
    const bytes = this.#bytes;
    for (let start = from; start < to; start += 1) {
      if (((bytes[start] ?? 0) & 0xc0) === 0x80) continue;
      let hash = FNV_OFFSET;
      const latest = Math.min(to, start + UNSPACED_BYTES_MAX);
      for (let at = start; at < latest; at += 1) {
        hash = hashStep(hash, bytes[at] ?? 0);
        const isWhole = at + 1 === to || ((bytes[at + 1] ?? 0) & 0xc0) !== 0x80;
        const bits = isWhole ? (proseBits[slotOf(hash === 0 ? 1 : hash)] ?? 0) : 0;
        if (bits !== 0) this.#remember(start, at + 1, bits);
      }
    }
  }

  #remember(from: number, to: number, bits: number): void {
    const slot = this.#count & (REMEMBERED - 1);
    this.#from[slot] = from;
    this.#to[slot] = to;
    this.#bits[slot] = bits;
    this.#count += 1;
  }
}

/** What the word says that begins right at a place, within a few bytes. */
export function contextOfWordAt(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && at < from + 2 && KIND[bytes[at] ?? 0] === 0) at += 1;
  const start = at;
  while (at < end && at < start + 12 && KIND[bytes[at] ?? 0] !== 0) at += 1;
  return proseBits[slotOf(hashOf(bytes, start, at))] ?? 0;
}

/** Bits of the parts of `camelCase`. */
function bitsOfHumps(bytes: Uint8Array, from: number, to: number): number {
  let bits = 0;
  let start = from;
  for (let at = from + 1; at <= to; at += 1) {
    if (at < to && !isHump(bytes, at, to)) continue;
    const isLikely = isLikelyWord(bytes[start] ?? 0, bytes[start + 1] ?? 0, at - start);
    if (isLikely) bits |= proseBits[slotOf(hashOf(bytes, start, at))] ?? 0;
    start = at;
  }
  return bits;
}

/** Whether a part begins: at a capital, the last of several before a small letter, and where digits begin or end. */
function isHump(bytes: Uint8Array, at: number, to: number): boolean {
  const before = KIND[bytes[at - 1] ?? 0] ?? 0;
  const here = KIND[bytes[at] ?? 0] ?? 0;
  if ((here === 3) !== (before === 3)) return true;
  if (here !== CAPITAL) return false;
  return before !== CAPITAL || (at + 1 < to && KIND[bytes[at + 1] ?? 0] === SMALL);
}

/** Bits of the identifier that ends at a place, as a name: `"db_password"` before `:` or `=`. */
export function contextOfKey(bytes: Uint8Array, from: number, to: number): number {
  let bits = 0;
  let hash = FNV_OFFSET;
  /** Of the part before and this one together: `api_key` is learned as `apikey`. */
  let both = FNV_OFFSET;
  let all = FNV_OFFSET;
  let start = from;
  for (let at = from; at <= to; at += 1) {
    const byte = at < to ? (bytes[at] ?? 0) : 0;
    const kind = KIND[byte] ?? 0;
    if (at > start && (kind === 0 || isHump(bytes, at, to))) {
      bits |= (nameBits[slotOf(hash === 0 ? 1 : hash)] ?? 0) | (nameBits[slotOf(both === 0 ? 1 : both)] ?? 0);
      both = hash;
      hash = FNV_OFFSET;
      start = at;
    }
    if (kind === 0) {
      start = at + 1;
      continue;
    }
    hash = hashStep(hash, byte);
    both = hashStep(both, byte);
    all = hashStep(all, byte);
  }
  return bits | (nameBits[slotOf(all === 0 ? 1 : all)] ?? 0);
}
