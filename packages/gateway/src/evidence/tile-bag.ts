/** Hash tiles and entry bundles of a tree that grows to its size leaf by leaf, as files of a bag. */

import { concat } from '@countersign/ledger/bytes';
import { encodeBundle, TILE_WIDTH, tilePath } from '@countersign/ledger/tiles';
import type { Bag } from './bag.ts';

/** Tree levels between one tile level and the next. */
const TILE_HEIGHT = 8;

/** Memory: one unfinished tile of each level. */
export class TileBag {
  readonly #bag: Bag;
  readonly #prefix: string;
  /** Unfinished tiles by level, with the hashes they have; */
  readonly #levels: { index: number; hashes: Uint8Array[] }[] = [];
  /** tiles that wait to be written; */
  #full: { level: number; index: number; hashes: readonly Uint8Array[] }[] = [];
  /** the unfinished bundle. */
  #entries: Uint8Array[] = [];
  #bundles = 0;

  /** @param prefix directory of the log in the bag */
  constructor(bag: Bag, prefix: string) {
    this.#bag = bag;
    this.#prefix = prefix;
  }

  /** For {@link Frontier.push}: takes a node that the tree has completed. */
  node(level: number, hash: Uint8Array): void {
    if (level % TILE_HEIGHT !== 0) return;
    const tileLevel = level / TILE_HEIGHT;
    this.#levels[tileLevel] ??= { index: 0, hashes: [] };
    const tile = this.#levels[tileLevel];
    tile.hashes.push(hash);
    if (tile.hashes.length < TILE_WIDTH) return;
    this.#full.push({ level: tileLevel, index: tile.index, hashes: tile.hashes });
    this.#levels[tileLevel] = { index: tile.index + 1, hashes: [] };
  }

  /** Takes an entry, after its nodes. */
  entry(bytes: Uint8Array): void {
    this.#entries.push(bytes);
    if (this.#entries.length === TILE_WIDTH) this.#writeBundle();
    const full = this.#full;
    this.#full = [];
    for (const { level, index, hashes } of full) this.#writeTile(level, index, hashes);
  }

  /** Writes what is partial. */
  finish(): void {
    if (this.#entries.length > 0) this.#writeBundle();
    for (const [level, { index, hashes }] of this.#levels.entries()) {
      if (hashes.length > 0) this.#writeTile(level, index, hashes);
    }
  }

  #writeBundle(): void {
    const entries = this.#entries;
    this.#entries = [];
    const path = tilePath({ level: 'entries', index: this.#bundles, width: entries.length });
    this.#bundles += 1;
    this.#bag.put(`${this.#prefix}/${path}`, encodeBundle(entries));
  }

  #writeTile(level: number, index: number, hashes: readonly Uint8Array[]): void {
    const path = tilePath({ level, index, width: hashes.length });
    this.#bag.put(`${this.#prefix}/${path}`, concat(...hashes));
  }
}
