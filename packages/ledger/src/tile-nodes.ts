/**
 * Nodes of a tree out of its tiles, for proofs.
 *
 * Untrusted: tiles. A wrong tile gives a wrong root, which the proof's own check finds.
 */

import { LedgerError } from './errors.ts';
import { nodeHash, type NodeReader } from './merkle.ts';
import { nodeInTile, tileHashes, tileWidth } from './tiles.ts';

/** The bytes of the hash tile of this level, index and width. */
export type TileReader = (level: number, index: number, width: number) => Uint8Array;

/** A reader of nodes over the tiles of a tree of `size` leaves. */
export function nodesFromTiles(readTile: TileReader, size: number): NodeReader {
  return (level, index) => {
    const place = nodeInTile(level, index);
    const width = tileWidth(place.level, place.index, size);
    if (place.first + place.count > width) {
      throw new LedgerError('PROOF_RANGE', `node ${index} of level ${level} is not in a tree of ${size}`);
    }
    const hashes = tileHashes(readTile(place.level, place.index, width), width);
    return fold(hashes.slice(place.first, place.first + place.count));
  };
}

/** The root over a power of two of hashes. */
function fold(hashes: readonly Uint8Array[]): Uint8Array {
  let row = hashes;
  while (row.length > 1) {
    const above: Uint8Array[] = [];
    for (let i = 0; i + 1 < row.length; i += 2) {
      const left = row[i];
      const right = row[i + 1];
      if (left !== undefined && right !== undefined) above.push(nodeHash(left, right));
    }
    row = above;
  }
  const [root] = row;
  if (root === undefined) throw new LedgerError('PROOF_RANGE', 'no hashes');
  return root;
}
