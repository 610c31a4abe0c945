/** The whole log of a package, written again by whoever has the exporter's code. */

import { concat, toBase64, utf8, utf8Text } from '@countersign/ledger/bytes';
import { isObject, jcs, parseJson } from '@countersign/ledger/jcs';
import { Frontier, leafHash } from '@countersign/ledger/merkle';
import { decodeBundle, encodeBundle, newTiles, TILE_WIDTH, tilePath } from '@countersign/ledger/tiles';
import {
  type Change,
  endOf,
  type Files,
  LOG,
  OWN_SEED,
  resign,
  setLines,
  startOf,
} from '../evidence-files.ts';

/** All leaves are changed; numbers, tree, frontier and checkpoints follow, signed with this key. */
export function rewriteLog(
  change: (leaves: readonly string[]) => readonly string[],
  seed: Uint8Array = OWN_SEED,
): Change {
  return (files) => {
    const start = startOf(files).size;
    const leaves = change(readLeaves(files)).map((leaf, n) => withNumber(leaf, n));
    for (const path of files.keys()) if (path.startsWith(`${LOG}/tile/`)) files.delete(path);
    const nodes = new Map<string, Uint8Array>();
    const frontier = new Frontier();
    for (const [n, leaf] of leaves.entries()) {
      if (n === start) writeStart(files, frontier, seed);
      frontier.push(leafHash(utf8(leaf)), (level, index, hash) => nodes.set(`${level}/${index}`, hash));
    }
    for (const tile of newTiles(0, leaves.length)) {
      const indexes = Array.from({ length: tile.width }, (_, i) => tile.index * TILE_WIDTH + i);
      const { level } = tile;
      const bytes =
        level === 'entries'
          ? encodeBundle(indexes.map((n) => utf8(leaves[n] ?? '')))
          : concat(...indexes.map((n) => nodes.get(`${8 * level}/${n}`) ?? utf8('')));
      files.set(`${LOG}/${tilePath(tile)}`, bytes);
    }
    resign(leaves.length, frontier.root(), seed, 'checkpoint.end')(files);
    setLines(files, `${LOG}/leaves.jsonl`, leaves.slice(start));
  };
}

/** Index of the last outcome of a session that ends later. */
export function outcomeOfEnded(leaves: readonly string[]): number {
  const end = leaves.findLastIndex((leaf) => leaf.includes('"type":"session.end"'));
  const session = sessionOf(leaves[end]);
  return leaves.findLastIndex(
    (leaf, n) => n < end && leaf.includes('"type":"statement.outcome"') && sessionOf(leaf) === session,
  );
}

/** An outcome as a leaf that answers nothing. */
export function withoutAnswer(leaf: string): string {
  return leaf
    .replace(/"ref":\d+,/, '')
    .replace('"status":"ok",', '')
    .replace('"type":"statement.outcome"', '"type":"statement.prepare"');
}

/** The last bundle, which is partial. */
export function lastBundle(files: Files): readonly [path: string, bytes: Uint8Array] {
  return lastOf(files, 'entries');
}

/** The last tile of the lowest level, which is partial. */
export function lastTile(files: Files): string {
  return lastOf(files, 0)[0];
}

function lastOf(files: Files, level: 'entries' | 0): readonly [string, Uint8Array] {
  const { size } = endOf(files);
  const index = Math.floor(size / TILE_WIDTH);
  const path = `${LOG}/${tilePath({ level, index, width: size % TILE_WIDTH })}`;
  const bytes = files.get(path);
  if (bytes === undefined) throw new Error(`${path} is not there`);
  return [path, bytes];
}

function readLeaves(files: Files): readonly string[] {
  const { size } = endOf(files);
  const leaves: string[] = [];
  for (let index = 0; index * TILE_WIDTH < size; index++) {
    const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH);
    const bundle = files.get(`${LOG}/${tilePath({ level: 'entries', index, width })}`) ?? utf8('');
    leaves.push(...decodeBundle(bundle, width).map(utf8Text));
  }
  return leaves;
}

function writeStart(files: Files, frontier: Frontier, seed: Uint8Array): void {
  resign(frontier.size, frontier.root(), seed, 'checkpoint.start')(files);
  const hashes = frontier.hashes.map(toBase64);
  files.set(`${LOG}/frontier.json`, utf8(jcs({ hashes, size: frontier.size })));
}

function withNumber(leaf: string, n: number): string {
  const value = parseJson(leaf);
  if (!isObject(value)) throw new Error('no leaf');
  return jcs({ ...value, n });
}

function sessionOf(leaf: string | undefined): string | undefined {
  return /"session":"([^"]*)"/.exec(leaf ?? '')?.[1];
}
