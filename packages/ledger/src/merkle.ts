/**
 * The Merkle tree of RFC 6962, section 2.1, and what can be proved with it.
 *
 * leaf = SHA-256(0x00 ‖ entry), node = SHA-256(0x01 ‖ left ‖ right), empty root = SHA-256("").
 * Verification follows RFC 9162, sections 2.1.3.2 and 2.1.4.2.
 * Refused: hashes that are not 32 bytes, consistency from size 0, sizes beyond 2^53-1.
 * Untrusted: every proof.
 */

import { equalBytes } from './bytes.ts';
import { LedgerError } from './errors.ts';
import { sha256 } from './sha256.ts';

export const HASH_BYTES = 32;

/** Where proofs take hashes from: node `index` of `level`, the root of 2^level leaves. */
export type NodeReader = (level: number, index: number) => Uint8Array;

/** Inputs of a hash are put together here; nothing keeps them, because every hash is synchronous. */
const leafInput: Uint8Array = new Uint8Array(1 + 4096);
const nodeInput: Uint8Array = Uint8Array.of(1, ...new Uint8Array(2 * HASH_BYTES));

export function leafHash(entry: Uint8Array): Uint8Array {
  const length = 1 + entry.length;
  const input = length <= leafInput.length ? leafInput.subarray(0, length) : new Uint8Array(length);
  input.set(entry, 1);
  return sha256(input);
}

/** @param left 32 bytes, as `right` */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  nodeInput.set(checkHash(left), 1);
  nodeInput.set(checkHash(right), 1 + HASH_BYTES);
  return sha256(nodeInput);
}

export function emptyRoot(): Uint8Array {
  return sha256(new Uint8Array(0));
}

/** The complete subtrees of a tree of `size` leaves, largest first: level and index of each root. */
export function frontierNodes(size: number): { readonly level: number; readonly index: number }[] {
  checkSize(size);
  const nodes = [];
  let offset = 0;
  for (let level = 52; level >= 0; level--) {
    const width = 2 ** level;
    if (size - offset < width) continue;
    nodes.push({ level, index: offset / width });
    offset += width;
  }
  return nodes;
}

/**
 * A tree as its complete subtrees, largest first: enough to append and to compute the root.
 * The owner of its state is whoever made it.
 */
export class Frontier {
  #size = 0;
  readonly #roots: Uint8Array[] = [];

  get size(): number {
    return this.#size;
  }

  /** Roots of the complete subtrees, largest first; popcount(size) of them. */
  get hashes(): readonly Uint8Array[] {
    return this.#roots;
  }

  /** A frontier that somebody wrote down. */
  static from(size: number, hashes: readonly Uint8Array[]): Frontier {
    const expected = frontierNodes(size).length;
    if (hashes.length !== expected) {
      throw new LedgerError('PROOF_HASH_COUNT', `expected ${expected} frontier hashes, got ${hashes.length}`);
    }
    const frontier = new Frontier();
    for (const hash of hashes) frontier.#roots.push(checkHash(hash));
    frontier.#size = size;
    return frontier;
  }

  /**
   * Appends one leaf hash.
   *
   * @param onNode called for each node that this leaf completes, lowest first, the leaf itself included
   */
  push(hash: Uint8Array, onNode?: (level: number, index: number, hash: Uint8Array) => void): void {
    let node = checkHash(hash);
    let level = 0;
    let index = this.#size;
    onNode?.(0, index, node);
    while (index % 2 === 1) {
      const left = this.#roots.pop();
      if (left === undefined) throw new LedgerError('PROOF_RANGE', 'a frontier that lost a subtree');
      node = nodeHash(left, node);
      index = (index - 1) / 2;
      level += 1;
      onNode?.(level, index, node);
    }
    this.#roots.push(node);
    this.#size += 1;
  }

  root(): Uint8Array {
    let root = this.#roots.at(-1);
    if (root === undefined) return emptyRoot();
    for (let i = this.#roots.length - 2; i >= 0; i--) {
      const left = this.#roots[i];
      if (left !== undefined) root = nodeHash(left, root);
    }
    return root;
  }
}

/** MTH of leaves [from, to) out of complete subtrees (RFC 6962, section 2.1). */
export function rangeRoot(read: NodeReader, from: number, to: number): Uint8Array {
  const count = to - from;
  if (count <= 0) throw new LedgerError('PROOF_RANGE', `expected a range, got [${from}, ${to})`);
  if (isPowerOfTwo(count) && from % count === 0) {
    const level = Math.log2(count);
    return checkHash(read(level, from / count));
  }
  const split = from + largestPowerBelow(count);
  return nodeHash(rangeRoot(read, from, split), rangeRoot(read, split, to));
}

/** PATH(index, D[size]) of RFC 6962, section 2.1.1: hashes from the leaf to the root. */
export function inclusionProof(read: NodeReader, index: number, size: number): Uint8Array[] {
  checkSize(size);
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
    throw new LedgerError('PROOF_RANGE', `expected an index below ${size}, got ${index}`);
  }
  const proof: Uint8Array[] = [];
  let from = 0;
  let to = size;
  while (to - from > 1) {
    const split = from + largestPowerBelow(to - from);
    if (index < split) {
      proof.push(rangeRoot(read, split, to));
      to = split;
    } else {
      proof.push(rangeRoot(read, from, split));
      from = split;
    }
  }
  return proof.toReversed();
}

/** PROOF(old, D[size]) of RFC 6962, section 2.1.2. */
export function consistencyProof(read: NodeReader, oldSize: number, size: number): Uint8Array[] {
  checkSize(size);
  checkSize(oldSize);
  if (oldSize === 0 || oldSize > size) {
    throw new LedgerError('PROOF_RANGE', `expected an old size from 1 to ${size}, got ${oldSize}`);
  }
  const proof: Uint8Array[] = [];
  let from = 0;
  let to = size;
  let known = true;
  while (oldSize !== to) {
    const split = from + largestPowerBelow(to - from);
    if (oldSize <= split) {
      proof.push(rangeRoot(read, split, to));
      to = split;
    } else {
      proof.push(rangeRoot(read, from, split));
      from = split;
      known = false;
    }
  }
  if (!known) proof.push(rangeRoot(read, from, to));
  return proof.toReversed();
}

/** The root that an inclusion proof leads to (RFC 9162, section 2.1.3.2). */
export function rootFromInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
): Uint8Array {
  checkSize(size);
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
    throw new LedgerError('PROOF_RANGE', `expected an index below ${size}, got ${index}`);
  }
  let fn = index;
  let sn = size - 1;
  let root = checkHash(leaf);
  for (const hash of proof) {
    if (sn === 0) throw new LedgerError('PROOF_HASH_COUNT', 'too many hashes');
    checkHash(hash);
    if (fn % 2 === 1 || fn === sn) {
      root = nodeHash(hash, root);
      while (fn % 2 === 0 && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      root = nodeHash(root, hash);
    }
    fn = half(fn);
    sn = half(sn);
  }
  if (sn !== 0) throw new LedgerError('PROOF_HASH_COUNT', 'too few hashes');
  return root;
}

/** Throws unless the entry with this leaf hash is at `index` in the tree of this root. */
export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): void {
  if (!equalBytes(rootFromInclusion(leaf, index, size, proof), checkHash(root))) {
    throw new LedgerError('ROOT_MISMATCH', `inclusion of ${index} in ${size}`);
  }
}

/** Throws unless the tree (size, root) extends the tree (oldSize, oldRoot) (RFC 9162, section 2.1.4.2). */
export function verifyConsistency(
  oldSize: number,
  oldRoot: Uint8Array,
  size: number,
  root: Uint8Array,
  proof: readonly Uint8Array[],
): void {
  checkSize(size);
  checkSize(oldSize);
  if (oldSize === 0 || oldSize > size) {
    throw new LedgerError('PROOF_RANGE', `expected an old size from 1 to ${size}, got ${oldSize}`);
  }
  checkHash(oldRoot);
  checkHash(root);
  if (oldSize === size) {
    if (proof.length > 0) throw new LedgerError('PROOF_HASH_COUNT', 'too many hashes');
    if (!equalBytes(oldRoot, root)) throw new LedgerError('ROOT_MISMATCH', `two roots of size ${size}`);
    return;
  }
  const path = isPowerOfTwo(oldSize) ? [oldRoot, ...proof] : proof;
  const roots = rootsFromConsistency(oldSize, size, path);
  if (!equalBytes(roots.oldRoot, oldRoot) || !equalBytes(roots.root, root)) {
    throw new LedgerError('ROOT_MISMATCH', `consistency of ${oldSize} with ${size}`);
  }
}

function rootsFromConsistency(
  oldSize: number,
  size: number,
  path: readonly Uint8Array[],
): { readonly oldRoot: Uint8Array; readonly root: Uint8Array } {
  const [first, ...rest] = path;
  if (first === undefined) throw new LedgerError('PROOF_HASH_COUNT', 'too few hashes');
  let fn = oldSize - 1;
  let sn = size - 1;
  while (fn % 2 === 1) {
    fn = half(fn);
    sn = half(sn);
  }
  let oldRoot = checkHash(first);
  let root = oldRoot;
  for (const hash of rest) {
    if (sn === 0) throw new LedgerError('PROOF_HASH_COUNT', 'too many hashes');
    checkHash(hash);
    if (fn % 2 === 1 || fn === sn) {
      oldRoot = nodeHash(hash, oldRoot);
      root = nodeHash(hash, root);
      while (fn % 2 === 0 && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      root = nodeHash(root, hash);
    }
    fn = half(fn);
    sn = half(sn);
  }
  if (sn !== 0) throw new LedgerError('PROOF_HASH_COUNT', 'too few hashes');
  return { oldRoot, root };
}

/** The hash itself; HASH_LENGTH for one of another length. */
export function checkHash(hash: Uint8Array): Uint8Array {
  if (hash.length !== HASH_BYTES) throw new LedgerError('HASH_LENGTH', `got ${hash.length} bytes`);
  return hash;
}

function checkSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 0)
    throw new LedgerError('PROOF_RANGE', `expected a size, got ${size}`);
}

// Sizes go beyond 32 bits, so shifts do not serve.
function half(value: number): number {
  return Math.floor(value / 2);
}

function isPowerOfTwo(value: number): boolean {
  return largestPowerBelow(value * 2) === value;
}

/** The largest power of two that is smaller than `value` (k of RFC 6962, section 2.1). */
function largestPowerBelow(value: number): number {
  let power = 1;
  while (power * 2 < value) power *= 2;
  return power;
}
