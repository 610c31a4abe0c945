/**
 * Tiles and entry bundles of a growing tree: collected leaf by leaf, written at each checkpoint.
 *
 * They are derived from the journal, which is durable before them. A full tile is synced a few
 * checkpoints after it was written, when that costs little; `tiles-settled` says up to which leaf all
 * full tiles are, and the next start builds what is behind it again.
 */

import { dirname, join } from 'node:path';
import { Frontier, frontierNodes, leafHash } from '@countersign/ledger/merkle';
import { nodesFromTiles } from '@countersign/ledger/tile-nodes';
import {
  encodeBundle,
  type Tile,
  TILE_WIDTH,
  tileHashes,
  tilePath,
  tileWidth,
} from '@countersign/ledger/tiles';
import { LIMITS } from '../core/limits.ts';
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
  /** Leaves of the tree that were read from tiles. */
  readonly from: number;
  readonly #files: LogFiles;
  readonly #directory: string;
  readonly #frontier: Frontier;
  readonly #levels: Level[] = [];
  #entries: Uint8Array[] = [];
  #full: { readonly tile: Tile; readonly bytes: Uint8Array }[] = [];
  /** Full tiles that were written and not synced, oldest first. */
  #unsettled: Tile[] = [];
  /** Directories whose names are durable. */
  readonly #durableDirectories = new Set<string>();
  /** What `tiles-settled` says is about another tree. */
  #markIsStale: boolean;

  /**
   * @param frontier the tree so far; of a multiple of 256 leaves
   * @param rightmost the hashes of the unfinished tile of each level, lowest first
   */
  private constructor(
    files: LogFiles,
    directory: string,
    frontier: Frontier,
    rightmost: readonly (readonly Uint8Array[])[],
  ) {
    this.#files = files;
    this.#directory = directory;
    this.#frontier = frontier;
    this.from = frontier.size;
    this.#markIsStale = frontier.size === 0;
    rightmost.forEach((hashes, level) => {
      const index = Math.floor(frontier.size / TILE_WIDTH ** (level + 1));
      this.#levels.push({ index, hashes: [...hashes], written: hashes.length });
    });
  }

  /** A tree without a leaf. */
  static empty(files: LogFiles, directory: string): TileWriter {
    return new TileWriter(files, directory, new Frontier(), []);
  }

  /**
   * The tree up to where its tiles are durable for certain; empty where they are not there. Whether it
   * is the tree that was signed shows when the leaves after it have been pushed.
   *
   * @param size of the checkpoint beside the tiles
   */
  static open(files: LogFiles, directory: string, size: number): TileWriter {
    const settled = readMark(files, directory);
    if (settled === 0 || settled > size) return TileWriter.empty(files, directory);
    const read = (level: number, index: number, width: number): Uint8Array => {
      // The unfinished tile beside the checkpoint is as wide or wider, and begins with the same hashes.
      const path = tilePath({ level, index, width: tileWidth(level, index, size) });
      return files.read(join(directory, path)).subarray(0, width * HASH_BYTES);
    };
    try {
      const nodes = nodesFromTiles(read, settled);
      const hashes = frontierNodes(settled).map(({ level, index }) => nodes(level, index));
      const rightmost: Uint8Array[][] = [];
      for (let level = 0; TILE_WIDTH ** level <= settled; level++) {
        const index = Math.floor(settled / TILE_WIDTH ** (level + 1));
        const width = tileWidth(level, index, settled);
        rightmost.push(width === 0 ? [] : tileHashes(read(level, index, width), width));
      }
      return new TileWriter(files, directory, Frontier.from(settled, hashes), rightmost);
    } catch {
      // What is missing or broken is built again from the first leaf.
      return TileWriter.empty(files, directory);
    }
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
    this.#forgetStaleMark();
    this.#settle();
    for (const { tile, bytes } of this.#full) {
      this.#put(tile, bytes, false);
      this.#files.remove(join(this.#directory, `${tilePath(tile)}.p`));
      this.#unsettled.push(tile);
    }
    this.#full = [];
    this.#levels.forEach((level, number) => {
      const width = level.hashes.length;
      if (width === 0 || width === level.written) return;
      // A start builds the lowest level again, and reads the others.
      this.#put({ level: number, index: level.index, width }, Buffer.concat(level.hashes), number > 0);
      if (number === 0)
        this.#put({ level: 'entries', index: level.index, width }, encodeBundle(this.#entries), false);
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

  #put(tile: Tile, bytes: Uint8Array, durable: boolean): void {
    const path = join(this.#directory, tilePath(tile));
    this.#files.makeDirectory(dirname(path));
    replaceFile(this.#files, path, bytes, durable);
    if (durable) this.#makeNameDurable(dirname(path));
  }

  /** Syncs the oldest full tiles: a few, or as many as it takes to stay within the bound. */
  #settle(): void {
    const { settledAtOnce, unsettledMax } = LIMITS.ledger;
    const count = Math.min(
      this.#unsettled.length,
      Math.max(settledAtOnce, this.#unsettled.length - unsettledMax),
    );
    let settled: number | undefined;
    const directories = new Set<string>();
    for (const [position, tile] of this.#unsettled.slice(0, count).entries()) {
      const path = join(this.#directory, tilePath(tile));
      const descriptor = this.#files.update(path);
      try {
        this.#files.datasync(descriptor);
      } finally {
        this.#files.close(descriptor);
      }
      directories.add(dirname(path));
      // The higher tiles that a tile completes follow it; with the next one of level 0, they are settled.
      const next = this.#unsettled[position + 1];
      if (next === undefined || next.level === 0) settled = leavesUpTo(this.#unsettled, position);
    }
    this.#unsettled = this.#unsettled.slice(count);
    for (const directory of directories) {
      this.#files.syncDirectory(directory);
      this.#makeNameDurable(directory);
    }
    if (settled !== undefined) replaceFile(this.#files, markPath(this.#directory), String(settled), true);
  }

  /** A directory is there after a crash when its name and those above it are. */
  #makeNameDurable(directory: string): void {
    for (let below = directory; below !== this.#directory; below = dirname(below)) {
      if (this.#durableDirectories.has(below)) return;
      this.#files.syncDirectory(dirname(below));
      // Directories of unfinished tiles come and go by the thousand.
      if (!below.endsWith('.p')) this.#durableDirectories.add(below);
    }
  }

  #forgetStaleMark(): void {
    if (!this.#markIsStale) return;
    this.#markIsStale = false;
    if (readMark(this.#files, this.#directory) === 0) return;
    replaceFile(this.#files, markPath(this.#directory), '0', true);
  }
}

const HASH_BYTES = 32;

function markPath(directory: string): string {
  return join(directory, 'tiles-settled');
}

/** Leaves whose full tiles are durable; 0 where nothing says so. */
function readMark(files: LogFiles, directory: string): number {
  const path = markPath(directory);
  if (!files.exists(path)) return 0;
  const text = Buffer.from(files.read(path)).toString('latin1');
  const settled = /^[0-9]{1,15}$/.test(text) ? Number(text) : 0;
  return settled % TILE_WIDTH === 0 ? settled : 0;
}

/** Leaves up to the end of the tile of level 0 at this position or before it. */
function leavesUpTo(tiles: readonly Tile[], position: number): number | undefined {
  const tile = tiles.slice(0, position + 1).findLast(({ level }) => level === 0);
  return tile === undefined ? undefined : (tile.index + 1) * TILE_WIDTH;
}
