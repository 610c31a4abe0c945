/**
 * Tiles and entry bundles: C2SP tlog-tiles (https://c2sp.org/tlog-tiles).
 *
 * ```
 * tile/<L>/<N>[.p/<W>]        L 0..63, N in groups of three digits, all but the last prefixed `x`
 * tile/entries/<N>[.p/<W>]    uint16be length ‖ entry, repeated
 * ```
 * W is 1..255; a full tile has 256 hashes. Refused: any other spelling of a path, a bundle with bytes
 * left over or with another number of entries than its width.
 */

import { parseDecimal } from './bytes.ts';
import { LedgerError } from './errors.ts';
import { HASH_BYTES } from './merkle.ts';

export const TILE_WIDTH = 256;
const TILE_HEIGHT = 8;
export const ENTRY_BYTES_MAX = 0xffff;

/** A hash tile, or an entry bundle (`level` is `entries`). */
export interface Tile {
  readonly level: number | 'entries';
  readonly index: number;
  /** 256 where it is full. */
  readonly width: number;
}

/** The path of a tile under the log's prefix. */
export function tilePath(tile: Tile): string {
  const partial = tile.width === TILE_WIDTH ? '' : `.p/${tile.width}`;
  return `tile/${tile.level}/${indexPath(tile.index)}${partial}`;
}

/** The tile of an untrusted path; TILE_PATH unless it is in the one accepted form. */
export function parseTilePath(path: string): Tile {
  const match = /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/)*[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/.exec(path);
  const [, levelText, indexText, widthText] = match ?? [];
  const level: Tile['level'] | undefined =
    levelText === 'entries' ? 'entries' : parseDecimal(levelText ?? '');
  const index = Number((indexText ?? 'x').replaceAll(/[x/]/g, '') || 'x');
  const width = widthText === undefined ? TILE_WIDTH : parseDecimal(widthText);
  if (level === undefined || width === undefined || !Number.isSafeInteger(index)) {
    throw new LedgerError('TILE_PATH', `got "${path.slice(0, 100)}"`);
  }
  const tile = { level, index, width };
  const inRange =
    (level === 'entries' || level <= 63) && width >= 1 && (widthText === undefined || width < TILE_WIDTH);
  if (!inRange || tilePath(tile) !== path) throw new LedgerError('TILE_PATH', `got "${path.slice(0, 100)}"`);
  return tile;
}

/** Every tile of a tree of `size` leaves that a tree of `oldSize` leaves does not have. */
export function newTiles(oldSize: number, size: number): Tile[] {
  const tiles: Tile[] = [];
  for (let level = 0, span = 1; span <= size; level++, span *= TILE_WIDTH) {
    const hashes = Math.floor(size / span);
    const oldHashes = Math.floor(oldSize / span);
    if (hashes === oldHashes) continue;
    for (let index = Math.floor(oldHashes / TILE_WIDTH); index * TILE_WIDTH < hashes; index++) {
      const width = Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH);
      tiles.push({ level, index, width });
      if (level === 0) tiles.push({ level: 'entries', index, width });
    }
  }
  return tiles;
}

/** Where a node of the tree lies: its tile, and the hashes of that tile that are below it. */
export function nodeInTile(
  level: number,
  index: number,
): { readonly level: number; readonly index: number; readonly first: number; readonly count: number } {
  const tileLevel = Math.floor(level / TILE_HEIGHT);
  const count = 2 ** (level - tileLevel * TILE_HEIGHT);
  const firstHash = index * count;
  return {
    level: tileLevel,
    index: Math.floor(firstHash / TILE_WIDTH),
    first: firstHash % TILE_WIDTH,
    count,
  };
}

/** Width of a tile in a tree of `size` leaves; 0 where the tree does not have it. */
export function tileWidth(level: number, index: number, size: number): number {
  const hashes = Math.floor(size / TILE_WIDTH ** level);
  return Math.max(0, Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH));
}

/** The hashes of a tile's bytes. */
export function tileHashes(bytes: Uint8Array, width: number): Uint8Array[] {
  if (bytes.length !== width * HASH_BYTES) {
    throw new LedgerError(
      'HASH_LENGTH',
      `expected ${width * HASH_BYTES} bytes in a tile, got ${bytes.length}`,
    );
  }
  return Array.from({ length: width }, (_, i) => bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES));
}

/** The bytes of an entry bundle. */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const entry of entries) {
    if (entry.length > ENTRY_BYTES_MAX) throw new LedgerError('BUNDLE', `an entry of ${entry.length} bytes`);
    length += 2 + entry.length;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const entry of entries) {
    bytes[at] = entry.length >> 8;
    bytes[at + 1] = entry.length & 0xff;
    bytes.set(entry, at + 2);
    at += 2 + entry.length;
  }
  return bytes;
}

/** The entries of an untrusted bundle, as views. */
export function decodeBundle(bytes: Uint8Array, width: number): Uint8Array[] {
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = at + 2 + ((bytes[at] ?? 0) << 8) + (bytes[at + 1] ?? 0);
    if (at + 2 > bytes.length || end > bytes.length)
      throw new LedgerError('BUNDLE', 'an entry that ends too early');
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  if (entries.length !== width)
    throw new LedgerError('BUNDLE', `expected ${width} entries, got ${entries.length}`);
  return entries;
}

function indexPath(index: number): string {
  let path = String(index % 1000).padStart(3, '0');
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    path = `x${String(rest % 1000).padStart(3, '0')}/${path}`;
  }
  return path;
}
