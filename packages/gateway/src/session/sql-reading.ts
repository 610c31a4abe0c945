/** Reads texts for all sessions: what was read before at once, short ones here, long ones in a thread. */

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { ReadText } from '../core/effects.ts';
import { reasonOf } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { openParser, type Parser } from '../sql/parser.ts';
import { preScan } from '../sql/pre-scan.ts';
import { readText } from '../sql/read-text.ts';
import { TextCache } from '../sql/text-cache.ts';
import { ParserPool } from './parser-pool.ts';
import type { SqlReader } from './sql-reader.ts';

/** Opens the parser when the first text has to be read: a gateway without rules needs none. Owned by main. */
export class SqlReading implements SqlReader {
  readonly #cache = new TextCache();
  #opened: { readonly parser: Parser; readonly pool: ParserPool } | undefined;
  #opening: Promise<void> | undefined;
  #closed = false;

  read(textBytes: Uint8Array): ReadText | Promise<ReadText> {
    const opened = this.#opened;
    if (opened === undefined) return this.#readLater(textBytes.slice());
    if (textBytes.length <= LIMITS.sql.inlineTextBytesMax) {
      return this.#cache.read(textBytes, (text) => readText(text, opened.parser));
    }
    // In one pass here what would only be refused there.
    const scanned = preScan(textBytes);
    return scanned.kind === 'uninspectable' ? scanned : opened.pool.read(textBytes);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#opening?.catch(() => undefined);
    await this.#opened?.pool.close();
  }

  async #readLater(textBytes: Uint8Array): Promise<ReadText> {
    if (this.#closed) return { kind: 'uninspectable', reason: 'the gateway is shutting down' };
    this.#opening ??= this.#open();
    try {
      await this.#opening;
    } catch (error) {
      this.#opening = undefined;
      return { kind: 'uninspectable', reason: `the parser cannot be opened: ${reasonOf(error)}` };
    }
    return this.read(textBytes);
  }

  async #open(): Promise<void> {
    const file = fileURLToPath(import.meta.resolve('libpg-query/wasm/libpg-query.wasm'));
    const wasm = await readFile(file);
    this.#opened = { parser: await openParser(wasm), pool: new ParserPool(wasm) };
  }
}
