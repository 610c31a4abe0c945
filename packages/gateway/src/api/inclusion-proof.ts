/** The proof that a leaf is in the log, as a C2SP tlog-proof file that needs nothing else but a key. */

import { parseCheckpoint } from '@countersign/ledger/checkpoint';
import { HASH_BYTES, inclusionProof } from '@countersign/ledger/merkle';
import { nodesFromTiles } from '@countersign/ledger/tile-nodes';
import { nodeInTile, TILE_WIDTH, tilePath, tileWidth } from '@countersign/ledger/tiles';
import { formatTlogProof } from '@countersign/ledger/tlog-proof';
import type { LogReader } from '../audit/log-reader.ts';
import { CountersignError } from '../core/errors.ts';

/** The proof of a leaf in the tree of a checkpoint that covers it. */
export async function proveLeaf(reader: LogReader, index: number, checkpoint: string): Promise<string> {
  const { size } = parseCheckpoint(checkpoint);
  const tiles = new Map<string, Uint8Array>();
  for (const { level, index: tile } of neededTiles(index, size)) {
    tiles.set(`${level}/${tile}`, await readTile(reader, level, tile, tileWidth(level, tile, size)));
  }
  const read = nodesFromTiles((level, tile) => {
    const bytes = tiles.get(`${level}/${tile}`);
    if (bytes === undefined) throw new CountersignError('INTERNAL');
    return bytes;
  }, size);
  return formatTlogProof({
    extra: undefined,
    index,
    hashes: inclusionProof(read, index, size),
    checkpoint,
  });
}

/** Which tiles a proof reads: which nodes it asks for does not depend on what they are. */
function neededTiles(index: number, size: number): readonly { level: number; index: number }[] {
  const needed = new Map<string, { level: number; index: number }>();
  inclusionProof(
    (level, node) => {
      const place = nodeInTile(level, node);
      needed.set(`${place.level}/${place.index}`, { level: place.level, index: place.index });
      return new Uint8Array(HASH_BYTES);
    },
    index,
    size,
  );
  return [...needed.values()];
}

/** A partial tile may have become full since the checkpoint: then its beginning is the same. */
async function readTile(reader: LogReader, level: number, index: number, width: number): Promise<Uint8Array> {
  const bytes =
    (await reader.tile(tilePath({ level, index, width }))) ??
    (await reader.tile(tilePath({ level, index, width: TILE_WIDTH })));
  if (bytes === undefined) {
    throw new CountersignError('LEDGER_INCONSISTENT', { reason: `tile ${level}/${index} is missing` });
  }
  return bytes.subarray(0, width * HASH_BYTES);
}
