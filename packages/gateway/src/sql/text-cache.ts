/**
 * What was read of texts that come again and again: the facts of a text depend on its bytes alone.
 *
 * Keyed by the bytes, one character each, never by a fingerprint: `SELECT a, b` and `SELECT b, a`, or `SET
 * ROLE a` and `SET ROLE b`, have the same. The least recently used go first.
 */

import type { ReadText, StatementFacts } from '../core/effects.ts';
import { LIMITS } from '../core/limits.ts';

export interface TextCacheLimits {
  readonly cachedTextsMax: number;
  readonly cachedBytesMax: number;
  readonly cachedTextBytesMax: number;
}

/** Of an entry, of a statement, and of each thing found in it; rather too much, see bench/sql.ts. */
const ENTRY_BYTES = 200;
const STATEMENT_BYTES = 250;
const FACT_BYTES = 90;

interface Entry {
  readonly read: ReadText;
  readonly bytes: number;
}

/** Owns the entries, oldest use first. */
export class TextCache {
  readonly #limits: TextCacheLimits;
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(limits: TextCacheLimits = LIMITS.sql) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** As estimated. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What was read of the text; read now where it is not known. */
  read(text: Uint8Array, readText: (text: Uint8Array) => ReadText): ReadText {
    if (text.length > this.#limits.cachedTextBytesMax) return readText(text);
    const key = keyOf(text);
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, entry);
      return entry.read;
    }
    const read = readText(text);
    // That no parser was ready says nothing about the text.
    if (read.kind !== 'uninspectable') this.#add(key, read);
    return read;
  }

  #add(key: string, read: ReadText): void {
    const bytes = ENTRY_BYTES + key.length + factBytes(read);
    this.#entries.set(key, { read, bytes });
    this.#bytes += bytes;
    for (const [oldest, entry] of this.#entries) {
      const { cachedTextsMax, cachedBytesMax } = this.#limits;
      if (this.#entries.size <= cachedTextsMax && this.#bytes <= cachedBytesMax) return;
      this.#entries.delete(oldest);
      this.#bytes -= entry.bytes;
    }
  }
}

/** Buffer's latin1 is one call; a decoder named so would make other characters of 0x80 to 0x9F. */
function keyOf(text: Uint8Array): string {
  return Buffer.from(text.buffer, text.byteOffset, text.length).toString('latin1');
}

function factBytes(read: ReadText): number {
  if (read.kind !== 'read') return FACT_BYTES;
  return read.statements.reduce((sum, statement) => sum + statementBytes(statement), 0);
}

function statementBytes({ effects, writes, reads, functions, settings }: StatementFacts): number {
  const columns = writes.reduce((sum, { columns: names }) => sum + (names === 'all' ? 0 : names.length), 0);
  const facts = effects.length + writes.length + reads.length + functions.length + settings.length + columns;
  return STATEMENT_BYTES + FACT_BYTES * facts;
}
