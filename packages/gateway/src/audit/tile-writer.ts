/**
 * Tiles and entry bundles of a growing tree: collected leaf by leaf, written at each checkpoint.
 *
 * They are derived from the journal, which is durable before them: what a crash loses is built again.
 */

import { dirname, join } from 'node:path';
import { Frontier, leafHash } from '@countersign/ledger/merkle';
import { encodeBundle, type Tile, TILE_WIDTH, tilePath } from '@countersign/ledger/tiles';
import type { LogFiles } from './file-port.ts';
import { replaceFile } from './files.ts';

interface Level {
  index: number;
  hashes: Uint8Array[];
  /** Width when it was last written. */
  written: number;
}

/** State is owned by the writer. */
export class TileWriter {
  readonly #files: LogFiles;
  readonly #directory: string;
  readonly #frontier: Frontier;
  readonly #levels: Level[] = [];
  #entries: Uint8Array[] = [];
  #full: { readonly tile: Tile; readonly bytes: Uint8Array }[] = [];

  /**
   * @param frontier the tree so far
   * @param rightmost the hashes of the unfinished tile of each level, lowest first
   * @param entries the entries of the unfinished bundle
   */
  constructor(
    files: LogFiles,
    directory: string,
    frontier: Frontier,
    rightmost: readonly (readonly Uint8Array[])[],
    entries: readonly Uint8Array[],
  ) {
    this.#files = files;
    this.#directory = directory;
    this.#frontier = frontier;
    this.#entries = [...entries];
    rightmost.forEach((hashes, level) => {
      const index = Math.floor(frontier.size / TILE_WIDTH ** (level + 1));
      this.#levels.push({ index, hashes: [...hashes], written: hashes.length });
    });
  }

  get size(): number {
    return this.#frontier.size;
  }

  get root(): Uint8Array {
    return this.#frontier.root();
  }

  /** Takes an entry, which stays the tree's. */
  push(entry: Uint8Array): void {
    this.#entries.push(entry);
    this.#frontier.push(leafHash(entry), (level, _index, hash) => {
      if (level % 8 === 0) this.#addHash(level / 8, hash);
    });
  }

  /** Writes what is new since the last call. */
  write(): void {
    for (const { tile, bytes } of this.#full) {
      this.#put(tile, bytes);
      this.#files.remove(join(this.#directory, `${tilePath(tile)}.p`));
    }
    this.#full = [];
    this.#levels.forEach((level, number) => {
      const width = level.hashes.length;
      if (width === 0 || width === level.written) return;
      this.#put({ level: number, index: level.index, width }, Buffer.concat(level.hashes));
      if (number === 0)
        this.#put({ level: 'entries', index: level.index, width }, encodeBundle(this.#entries));
      level.written = width;
    });
  }

  #addHash(number: number, hash: Uint8Array): void {
    const level = (this.#levels[number] ??= { index: 0, hashes: [], written: 0 });
    level.hashes.push(hash);
    if (level.hashes.length < TILE_WIDTH) return;
    const tile = { level: number, index: level.index, width: TILE_WIDTH };
    this.#full.push({ tile, bytes: Buffer.concat(level.hashes) });
    if (number === 0) {
      this.#full.push({ tile: { ...tile, level: 'entries' }, bytes: encodeBundle(this.#entries) });
      this.#entries = [];
    }
    level.index += 1;
    level.hashes = [];
    level.written = 0;
  }

  #put(tile: Tile, bytes: Uint8Array): void {
    const path = join(this.#directory, tilePath(tile));
    this.#files.makeDirectory(dirname(path));
    replaceFile(this.#files, path, bytes, false);
  }
}
