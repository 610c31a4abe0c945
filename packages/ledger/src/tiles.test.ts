import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NaiveTree, naiveLeafHash, repeatingTree } from '../../../test/conformance/naive-tree.ts';
import { readVectors } from '../../../test/conformance/vectors.ts';
import { concat, toHex, utf8 } from './bytes.ts';
import { LedgerError } from './errors.ts';
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from './merkle.ts';
import { nodesFromTiles, type TileReader } from './tile-nodes.ts';
import {
  decodeBundle,
  encodeBundle,
  ENTRY_BYTES_MAX,
  newTiles,
  nodeInTile,
  parseTilePath,
  type Tile,
  tileHashes,
  tilePath,
  tileWidth,
} from './tiles.ts';

const tree = new NaiveTree((index) => naiveLeafHash(utf8(`leaf ${index}`)));
const huge = repeatingTree();

function code<T>(action: () => T): T | string {
  try {
    return action();
  } catch (error) {
    if (error instanceof LedgerError) return error.code;
    throw error;
  }
}

/** Level-L hash i of tile n is MTH(D[(n·256+i)·256^L …]): tlog-tiles, "Merkle Tree". */
function naiveTile(of: NaiveTree): TileReader {
  return (level, index, width) => {
    const span = 256 ** level;
    const first = index * 256;
    return concat(
      ...Array.from({ length: width }, (_, i) => of.root((first + i) * span, (first + i + 1) * span)),
    );
  };
}

const shortTile: TileReader = (level, index, width) => naiveTile(tree)(level, index, width).subarray(1);

describe('tile paths', () => {
  const vectors = readVectors('ledger/tile-paths.txt', ['path', 'level', 'index', 'width', 'expect']);
  it.each(vectors.map((v) => ({ path: v.one('path'), v })))('$path', ({ path, v }) => {
    const found = code(() => {
      const { level, index, width } = parseTilePath(path);
      return [String(level), String(index), String(width), tilePath({ level, index, width })];
    });
    const good = [v.maybe('level'), v.maybe('index'), v.maybe('width'), path];
    expect(found).toEqual(v.maybe('expect') === undefined ? good : 'TILE_PATH');
  });

  const tiles: fc.Arbitrary<Tile> = fc.record({
    level: fc.oneof(fc.integer({ min: 0, max: 63 }), fc.constant('entries' as const)),
    index: fc.oneof(fc.integer({ min: 0, max: 2000 }), fc.maxSafeNat()),
    width: fc.integer({ min: 1, max: 256 }),
  });

  it('come back, for any tile', () => {
    fc.assert(
      fc.property(tiles, (tile) => {
        expect(parseTilePath(tilePath(tile))).toEqual(tile);
      }),
    );
  });

  it('that are not refused are the spelling of the tile', () => {
    const near = fc.oneof(
      fc.string({ unit: fc.constantFrom(...Array.from('tile/xp.0123456789')) }),
      fc.tuple(tiles, fc.nat(), fc.constantFrom('', '0', 'x', '/', '.', '5')).map(([tile, at, put]) => {
        const path = tilePath(tile);
        return path.slice(0, at % path.length) + put + path.slice((at % path.length) + 1);
      }),
    );
    fc.assert(
      fc.property(near, (path) => {
        const spelled = code(() => tilePath(parseTilePath(path)));
        expect([path, 'TILE_PATH']).toContain(spelled);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the tiles of a tree', () => {
  it('of 70,000 leaves are those that tlog-tiles counts', () => {
    const all = newTiles(0, 70_000);
    expect(all.filter((tile) => tile.level === 0)).toHaveLength(274);
    expect(all.filter((tile) => tile.level === 'entries')).toHaveLength(274);
    expect(all.filter((tile) => tile.width < 256).map(tilePath)).toEqual([
      'tile/0/273.p/112',
      'tile/entries/273.p/112',
      'tile/1/001.p/17',
      'tile/2/000.p/1',
    ]);
    expect(newTiles(0, 0)).toEqual([]);
    expect(newTiles(0, 256).map(tilePath)).toEqual(['tile/0/000', 'tile/entries/000', 'tile/1/000.p/1']);
  });

  it('hold every node, and only new tiles change as it grows', () => {
    const size = fc.integer({ min: 0, max: 200_000 });
    fc.assert(
      fc.property(size, size, (a, b) => {
        const [oldSize, newSize] = a < b ? [a, b] : [b, a];
        const before = new Set(newTiles(0, oldSize).map(tilePath));
        const after = new Set(newTiles(0, newSize).map(tilePath));
        const added = newTiles(oldSize, newSize).map(tilePath);
        expect(new Set(added).size).toBe(added.length);
        expect(added.every((path) => after.has(path) && !before.has(path))).toBe(true);
        expect([...after].every((path) => before.has(path) || added.includes(path))).toBe(true);
      }),
      { numRuns: 15 },
    );
  });

  it('have the width that the tree gives them', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000 }), (size) => {
        for (const tile of newTiles(0, size))
          expect(tileWidth(tile.level === 'entries' ? 0 : tile.level, tile.index, size)).toBe(tile.width);
        expect(tileWidth(0, Math.ceil(size / 256), size)).toBe(0);
      }),
      { numRuns: 20 },
    );
  });

  it('give the nodes of a naive tree, and proofs that verify', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.nat(), (size, seed) => {
        const read = nodesFromTiles(naiveTile(tree), size);
        const level = seed % 12;
        const index = seed % Math.max(1, Math.floor(size / 2 ** level));
        const inside = (index + 1) * 2 ** level <= size;
        const node = code(() => toHex(read(level, index)));
        expect(node).toBe(
          inside ? toHex(tree.root(index * 2 ** level, (index + 1) * 2 ** level)) : 'PROOF_RANGE',
        );
        const leaf = seed % size;
        const root = tree.root(0, size);
        verifyInclusion(tree.root(leaf, leaf + 1), leaf, size, inclusionProof(read, leaf, size), root);
        verifyConsistency(
          leaf + 1,
          tree.root(0, leaf + 1),
          size,
          root,
          consistencyProof(read, leaf + 1, size),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('give proofs for trees of up to 2^53-1 leaves', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), fc.nat(), (size, seed) => {
        const index = seed % size;
        const proof = inclusionProof(nodesFromTiles(naiveTile(huge), size), index, size);
        expect(proof.map(toHex)).toEqual(huge.path(index, 0, size).map(toHex));
      }),
      { numRuns: 10 },
    );
  });

  it('say where a node lies', () => {
    expect(nodeInTile(0, 70_000)).toEqual({ level: 0, index: 273, first: 112, count: 1 });
    expect(nodeInTile(7, 3)).toEqual({ level: 0, index: 1, first: 128, count: 128 });
    expect(nodeInTile(8, 3)).toEqual({ level: 1, index: 0, first: 3, count: 1 });
  });

  it('that are too short, too long or not there are refused', () => {
    expect(code(() => nodesFromTiles(shortTile, 300)(0, 5))).toBe('HASH_LENGTH');
    expect(code(() => tileHashes(new Uint8Array(33), 1))).toBe('HASH_LENGTH');
    expect(code(() => nodesFromTiles(naiveTile(tree), 300)(0, 300))).toBe('PROOF_RANGE');
    expect(code(() => nodesFromTiles(naiveTile(tree), 300)(9, 0))).toBe('PROOF_RANGE');
  });

  it('with a changed byte give no proof that verifies', () => {
    const damaged: TileReader = (level, index, width) => {
      const bytes = naiveTile(tree)(level, index, width);
      bytes[31] = (bytes[31] ?? 0) ^ 1;
      return bytes;
    };
    const proof = inclusionProof(nodesFromTiles(damaged, 300), 100, 300);
    const leaf = tree.root(100, 101);
    expect(code(() => verifyInclusion(leaf, 100, 300, proof, tree.root(0, 300)))).toBe('ROOT_MISMATCH');
  });
});

describe('entry bundles', () => {
  const entries = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 256 });

  it('come back', () => {
    fc.assert(
      fc.property(entries, (list) => {
        const decoded = decodeBundle(encodeBundle(list), list.length);
        expect(decoded.map(toHex)).toEqual(list.map(toHex));
      }),
    );
  });

  it('are big-endian lengths and entries', () => {
    expect(toHex(encodeBundle([Uint8Array.of(7), new Uint8Array(0), new Uint8Array(258)]))).toBe(
      `00010700000102${'00'.repeat(258)}`,
    );
    const longest = new Uint8Array(ENTRY_BYTES_MAX);
    expect(decodeBundle(encodeBundle([longest]), 1)[0]).toHaveLength(ENTRY_BYTES_MAX);
    expect(code(() => encodeBundle([new Uint8Array(ENTRY_BYTES_MAX + 1)]))).toBe('BUNDLE');
  });

  it('of garbage are refused with our own error, or encode to themselves', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 0, max: 8 }), (bytes, width) => {
        const again = code(() => toHex(encodeBundle(decodeBundle(bytes, width))));
        expect([toHex(bytes), 'BUNDLE']).toContain(again);
      }),
      { numRuns: 1000 },
    );
  });

  it('cut at any byte, or with another width, are refused', () => {
    const bundle = encodeBundle([utf8('one'), utf8('two'), new Uint8Array(0)]);
    for (let cut = 0; cut < bundle.length; cut++)
      expect(code(() => decodeBundle(bundle.subarray(0, cut), 3))).toBe('BUNDLE');
    expect(code(() => decodeBundle(bundle, 2))).toBe('BUNDLE');
    expect(code(() => decodeBundle(bundle, 4))).toBe('BUNDLE');
  });
});
