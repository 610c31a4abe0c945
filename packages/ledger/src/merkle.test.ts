import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NaiveTree, naiveLeafHash, repeatingTree } from '../../../test/conformance/naive-tree.ts';
import { readVectors } from '../../../test/conformance/vectors.ts';
import { fromBase64, fromHex, toHex, utf8 } from './bytes.ts';
import {
  consistencyProof,
  emptyRoot,
  Frontier,
  frontierNodes,
  inclusionProof,
  leafHash,
  type NodeReader,
  nodeHash,
  rangeRoot,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts';

const SIZE_MAX = 300;
const tree = new NaiveTree((index) => naiveLeafHash(utf8(`leaf ${index}`)));
const huge = repeatingTree();
/** Sizes near powers of two are where the arithmetic beyond 32 bits could slip. */
const hugeSize = fc.oneof(
  fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  fc
    .tuple(fc.integer({ min: 30, max: 52 }), fc.integer({ min: -3, max: 3 }))
    .map(([power, offset]) => 2 ** power + offset),
);

function reader(of: NaiveTree): NodeReader {
  return (level, index) => of.root(index * 2 ** level, (index + 1) * 2 ** level);
}

function code(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  }
  return 'ok';
}

function expected(text: string): string {
  return text.replace(/^refused /, '');
}

describe('the reference tree of transparency-dev/merkle', () => {
  const vectors = readVectors('ledger/tree.txt', ['size', 'input', 'leaf', 'root', 'complete']).toSorted(
    (a, b) => Number(a.one('size')) - Number(b.one('size')),
  );

  it('grows to the published leaves, roots and complete subtrees', () => {
    const frontier = new Frontier();
    expect(vectors).toHaveLength(9);
    for (const vector of vectors) {
      const input = vector.maybe('input');
      const leaf = input === undefined ? undefined : leafHash(fromHex(input));
      expect(leaf === undefined ? leaf : toHex(leaf)).toBe(vector.maybe('leaf'));
      if (leaf !== undefined) frontier.push(leaf);
      expect(frontier.size).toBe(Number(vector.one('size')));
      expect(toHex(frontier.root())).toBe(vector.one('root'));
      expect(frontier.hashes.map(toHex)).toEqual(vector.all('complete'));
    }
    expect(toHex(emptyRoot())).toBe(vectors[0]?.one('root'));
  });

  const proofFields = ['title', 'expect', 'root', 'leaf', 'index', 'size', 'proof'];
  it.each(readVectors('ledger/inclusion.txt', proofFields).map((v) => ({ v, title: v.one('title') })))(
    'inclusion $title',
    ({ v }) => {
      const result = code(() =>
        verifyInclusion(
          fromBase64(v.one('leaf')),
          Number(v.one('index')),
          Number(v.one('size')),
          v.all('proof').map(fromBase64),
          fromBase64(v.one('root')),
        ),
      );
      expect(result).toBe(expected(v.one('expect')));
    },
  );

  const consistencyFields = ['title', 'expect', 'root1', 'root2', 'size1', 'size2', 'proof'];
  it.each(
    readVectors('ledger/consistency.txt', consistencyFields).map((v) => ({ v, title: v.one('title') })),
  )('consistency $title', ({ v }) => {
    const result = code(() =>
      verifyConsistency(
        Number(v.one('size1')),
        fromBase64(v.one('root1')),
        Number(v.one('size2')),
        fromBase64(v.one('root2')),
        v.all('proof').map(fromBase64),
      ),
    );
    expect(result).toBe(expected(v.one('expect')));
  });
});

describe('against a naive tree, for all sizes up to 300', () => {
  it('gives the same roots and complete subtrees, and completes each node once', () => {
    const frontier = new Frontier();
    for (let size = 0; size <= SIZE_MAX; size++) {
      expect(toHex(frontier.root())).toBe(toHex(tree.root(0, size)));
      const nodes = frontierNodes(size);
      expect(frontier.hashes.map(toHex)).toEqual(
        nodes.map(({ level, index }) => toHex(tree.root(index * 2 ** level, (index + 1) * 2 ** level))),
      );
      expect(toHex(Frontier.from(size, frontier.hashes).root())).toBe(toHex(frontier.root()));
      const completed: string[] = [];
      frontier.push(leafHash(utf8(`leaf ${size}`)), (level, index, hash) => {
        completed.push(`${level} ${index}`);
        expect(toHex(hash)).toBe(toHex(tree.root(index * 2 ** level, (index + 1) * 2 ** level)));
      });
      expect(completed).toEqual(
        Array.from({ length: completed.length }, (_, level) => `${level} ${(size + 1) / 2 ** level - 1}`),
      );
    }
  });

  it('proves and verifies the inclusion of any leaf as RFC 6962 does', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: SIZE_MAX }), fc.nat(), (size, seed) => {
        const index = seed % size;
        const proof = inclusionProof(reader(tree), index, size);
        expect(proof.map(toHex)).toEqual(tree.path(index, 0, size).map(toHex));
        verifyInclusion(leafHash(utf8(`leaf ${index}`)), index, size, proof, tree.root(0, size));
      }),
      { numRuns: 600 },
    );
  });

  it('proves and verifies the consistency of any two sizes as RFC 6962 does', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: SIZE_MAX }), fc.nat(), (size, seed) => {
        const old = 1 + (seed % size);
        const proof = consistencyProof(reader(tree), old, size);
        expect(proof.map(toHex)).toEqual(tree.proof(old, 0, size, true).map(toHex));
        verifyConsistency(old, tree.root(0, old), size, tree.root(0, size), proof);
      }),
      { numRuns: 600 },
    );
  });

  it('proves every leaf and every pair of sizes up to 40', () => {
    for (let size = 1; size <= 40; size++) {
      expect(toHex(rangeRoot(reader(tree), 0, size))).toBe(toHex(tree.root(0, size)));
      for (let index = 0; index < size; index++) {
        const proof = inclusionProof(reader(tree), index, size);
        verifyInclusion(leafHash(utf8(`leaf ${index}`)), index, size, proof, tree.root(0, size));
        const old = index + 1;
        const consistency = consistencyProof(reader(tree), old, size);
        verifyConsistency(old, tree.root(0, old), size, tree.root(0, size), consistency);
      }
    }
  });
});

describe('against a naive tree, for sizes up to 2^53-1', () => {
  it('gives the same roots, and grows from a frontier', () => {
    fc.assert(
      fc.property(hugeSize, fc.integer({ min: 0, max: 20 }), (size, more) => {
        fc.pre(size + more <= Number.MAX_SAFE_INTEGER);
        const nodes = frontierNodes(size).map(({ level, index }) => reader(huge)(level, index));
        const frontier = Frontier.from(size, nodes);
        expect(toHex(frontier.root())).toBe(toHex(huge.root(0, size)));
        for (let i = 0; i < more; i++) frontier.push(huge.root(size + i, size + i + 1));
        expect(toHex(frontier.root())).toBe(toHex(huge.root(0, size + more)));
      }),
      { numRuns: 200 },
    );
  });

  it('proves and verifies inclusion', () => {
    fc.assert(
      fc.property(hugeSize, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (size, at) => {
        const index = Math.floor(at * size);
        const proof = inclusionProof(reader(huge), index, size);
        expect(proof.map(toHex)).toEqual(huge.path(index, 0, size).map(toHex));
        verifyInclusion(huge.root(index, index + 1), index, size, proof, huge.root(0, size));
      }),
      { numRuns: 200 },
    );
  });

  it('proves and verifies consistency', () => {
    fc.assert(
      fc.property(hugeSize, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (size, at) => {
        const old = 1 + Math.floor(at * size);
        const proof = consistencyProof(reader(huge), old, size);
        expect(proof.map(toHex)).toEqual(huge.proof(old, 0, size, true).map(toHex));
        verifyConsistency(old, huge.root(0, old), size, huge.root(0, size), proof);
      }),
      { numRuns: 200 },
    );
  });
});

describe('what is refused', () => {
  const size = 77;
  const root = tree.root(0, size);
  const leaf = leafHash(utf8('leaf 20'));
  const path = tree.path(20, 0, size);
  const proof = tree.proof(20, 0, size, true);

  it('any one changed bit of a proof, a leaf or a root', () => {
    fc.assert(
      fc.property(fc.nat({ max: 255 }), fc.nat(), (bit, seed) => {
        const at = seed % (path.length + 2);
        const hashes = flip([leaf, root, ...path], at, bit);
        const [changedLeaf = leaf, changedRoot = root, ...changedPath] = hashes;
        expect(code(() => verifyInclusion(changedLeaf, 20, size, changedPath, changedRoot))).toBe(
          'ROOT_MISMATCH',
        );
        const at2 = seed % (proof.length + 2);
        const [oldRoot = root, newRoot = root, ...changed] = flip(
          [tree.root(0, 20), root, ...proof],
          at2,
          bit,
        );
        expect(code(() => verifyConsistency(20, oldRoot, size, newRoot, changed))).toBe('ROOT_MISMATCH');
      }),
    );
  });

  it('a proof with a hash left out or put in', () => {
    const old = tree.root(0, 20);
    for (let at = 0; at <= path.length; at++) {
      for (const wrong of [path.toSpliced(at, 1), path.toSpliced(at, 0, root)]) {
        if (wrong.length === path.length) continue;
        expect(code(() => verifyInclusion(leaf, 20, size, wrong, root))).toBe('PROOF_HASH_COUNT');
      }
    }
    for (let at = 0; at <= proof.length; at++) {
      for (const wrong of [proof.toSpliced(at, 1), proof.toSpliced(at, 0, root)]) {
        if (wrong.length === proof.length) continue;
        expect(code(() => verifyConsistency(20, old, size, root, wrong))).toBe('PROOF_HASH_COUNT');
      }
    }
  });

  const badSizes = [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53];
  it.each(badSizes)('the size %s', (bad) => {
    expect(code(() => frontierNodes(bad))).toBe('PROOF_RANGE');
    expect(code(() => inclusionProof(reader(tree), 0, bad))).toBe('PROOF_RANGE');
    expect(code(() => consistencyProof(reader(tree), 1, bad))).toBe('PROOF_RANGE');
    expect(code(() => consistencyProof(reader(tree), bad, 77))).toBe('PROOF_RANGE');
    expect(code(() => verifyInclusion(leaf, 0, bad, [], root))).toBe('PROOF_RANGE');
    expect(code(() => verifyInclusion(leaf, bad, 77, path, root))).toBe('PROOF_RANGE');
    expect(code(() => verifyConsistency(bad, root, 77, root, []))).toBe('PROOF_RANGE');
    expect(code(() => verifyConsistency(1, root, bad, root, []))).toBe('PROOF_RANGE');
  });

  it('consistency from size 0, an index that is the size, an empty range', () => {
    expect(code(() => consistencyProof(reader(tree), 0, 5))).toBe('PROOF_RANGE');
    expect(code(() => verifyConsistency(0, emptyRoot(), 5, tree.root(0, 5), []))).toBe('PROOF_RANGE');
    expect(code(() => inclusionProof(reader(tree), 5, 5))).toBe('PROOF_RANGE');
    expect(code(() => rangeRoot(reader(tree), 5, 5))).toBe('PROOF_RANGE');
  });

  it('a frontier with the wrong number of hashes, and hashes of the wrong length', () => {
    expect(code(() => Frontier.from(7, [root, root]))).toBe('PROOF_HASH_COUNT');
    expect(code(() => Frontier.from(7, [root, root, root.subarray(1)]))).toBe('HASH_LENGTH');
    expect(code(() => new Frontier().push(root.subarray(1)))).toBe('HASH_LENGTH');
    expect(code(() => rangeRoot(() => root.subarray(1), 0, 8))).toBe('HASH_LENGTH');
  });

  it('does not take a node for a leaf', () => {
    expect(toHex(leafHash(new Uint8Array([...root, ...leaf])))).not.toBe(toHex(nodeHash(root, leaf)));
  });
});

function flip(hashes: readonly Uint8Array[], at: number, bit: number): Uint8Array[] {
  return hashes.map((hash, i) =>
    i === at ? hash.map((byte, j) => (j === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte)) : hash,
  );
}
