/**
 * Opening a log that was written before: journal, tree, and the checkpoint in the second place.
 *
 * Spec: spec/ledger.md, sections 5 and 9. Nothing on disk is changed before everything was read and
 * found consistent; then a torn tail is cut.
 */

import { join } from 'node:path';
import { equalBytes } from '@countersign/ledger/bytes';
import { type Checkpoint, parseCheckpoint } from '@countersign/ledger/checkpoint';
import { parseLeaf } from '@countersign/ledger/leaf';
import { Frontier, frontierNodes } from '@countersign/ledger/merkle';
import { nodesFromTiles } from '@countersign/ledger/tile-nodes';
import { decodeBundle, TILE_WIDTH, tileHashes, tilePath, tileWidth } from '@countersign/ledger/tiles';
import { CountersignError, reasonOf } from '../core/errors.ts';
import type { LogFiles } from './file-port.ts';
import {
  checkSegmentHeader,
  firstIndexOf,
  readRecords,
  SEGMENT_HEADER_BYTES,
  segmentName,
  type TornTail,
} from './journal.ts';
import { LogState, parseTimeUs } from './log-state.ts';
import { TileWriter } from './tile-writer.ts';

/** A torn tail that was cut. */
export interface Cut {
  readonly segment: string;
  readonly bytesCut: number;
  readonly recordsKept: number;
  readonly reason: string;
}

export interface OpenedLog {
  readonly state: LogState;
  readonly tiles: TileWriter;
  /** Last segment and its length; undefined for a new log. */
  readonly segment: { readonly firstIndex: number; readonly bytes: number } | undefined;
  readonly cut: Cut | undefined;
  /** What differs from the second place; undefined where all is well. */
  readonly rollback: Rollback | undefined;
}

/** The log on disk is not the one that was last signed. */
export interface Rollback {
  readonly reason: string;
  readonly expectedSize: number;
  readonly expectedRoot: Uint8Array;
  readonly foundSize: number;
  readonly foundRoot: Uint8Array;
}

/**
 * @param lastNote the checkpoint in the second place
 * @param accepted an operator has accepted that the log is not the one that was last signed: what is
 * left of the journal is the log, and the tree is built from it
 */
export function openLog(
  files: LogFiles,
  directory: string,
  lastNote: string | undefined,
  accepted = false,
): OpenedLog {
  const last = lastNote === undefined ? undefined : parseCheckpoint(lastNote);
  const journal = join(directory, 'journal');
  const segments = usableSegments(files, journal);
  const local = readLocalCheckpoint(files, directory);
  let tiles = openTiles(files, directory, local) ?? emptyTiles(files, directory);
  const seen = new RootAt(last, tiles);
  let replayed = replay(files, journal, segments, tiles, seen);
  const rollback = findRollback(last, local, replayed.state.nextIndex, tiles, seen);
  if (rollback !== undefined && accepted) {
    tiles = emptyTiles(files, directory);
    replayed = replay(files, journal, segments, tiles, new RootAt(last, tiles));
  }
  const { state, torn, bytes } = replayed;
  const firstIndex = segments.at(-1);
  const segment = firstIndex === undefined ? undefined : { firstIndex, bytes };
  const mayCut = rollback === undefined || accepted;
  // Nothing on disk was changed up to here.
  if (mayCut && state.nextIndex !== tiles.size) {
    throw inconsistent(`the journal has ${state.nextIndex} leaves and the tree ${tiles.size}`);
  }
  const cut =
    torn === undefined || firstIndex === undefined || !mayCut
      ? undefined
      : cutTail(files, join(journal, segmentName(firstIndex)), torn, bytes, state.nextIndex - firstIndex);
  return { state, tiles, segment, cut, rollback };
}

function emptyTiles(files: LogFiles, directory: string): TileWriter {
  return new TileWriter(files, directory, new Frontier(), [], []);
}

/** First indexes of the segments, in order. */
function listSegments(files: LogFiles, directory: string): number[] {
  return files
    .list(directory)
    .map(firstIndexOf)
    .filter((index) => index !== undefined)
    .toSorted((a, b) => a - b);
}

/** Without a last segment that a crash left before its header was whole: it holds no leaf. */
function usableSegments(files: LogFiles, directory: string): number[] {
  const segments = listSegments(files, directory);
  const last = segments.at(-1);
  if (last === undefined) return segments;
  const path = join(directory, segmentName(last));
  if (files.length(path) >= SEGMENT_HEADER_BYTES) return segments;
  files.remove(path);
  return segments.slice(0, -1);
}

function readLocalCheckpoint(files: LogFiles, directory: string): Checkpoint | undefined {
  const path = join(directory, 'checkpoint');
  return files.exists(path) ? parseCheckpoint(readText(files, path)) : undefined;
}

/** The tree of the local checkpoint out of its tiles; undefined where they do not give its root. */
function openTiles(
  files: LogFiles,
  directory: string,
  local: Checkpoint | undefined,
): TileWriter | undefined {
  if (local === undefined) return undefined;
  const { size } = local;
  try {
    const read = (level: number, index: number, width: number): Uint8Array =>
      files.read(join(directory, tilePath({ level, index, width })));
    const nodes = nodesFromTiles(read, size);
    const frontier = Frontier.from(
      size,
      frontierNodes(size).map(({ level, index }) => nodes(level, index)),
    );
    if (!equalBytes(frontier.root(), local.root)) return undefined;
    const rightmost: Uint8Array[][] = [];
    for (let level = 0; TILE_WIDTH ** level <= size; level++) {
      const index = Math.floor(size / TILE_WIDTH ** (level + 1));
      const width = tileWidth(level, index, size);
      rightmost.push(width === 0 ? [] : tileHashes(read(level, index, width), width));
    }
    const index = Math.floor(size / TILE_WIDTH);
    const width = size % TILE_WIDTH;
    const path = join(directory, tilePath({ level: 'entries', index, width }));
    return new TileWriter(
      files,
      directory,
      frontier,
      rightmost,
      width === 0 ? [] : decodeBundle(files.read(path), width),
    );
  } catch {
    // Tiles are derived from the journal: what is missing or broken is built again from the first leaf.
    return undefined;
  }
}

/** The root that the replayed tree had at the size of the last signed checkpoint. */
class RootAt {
  readonly #size: number;
  root: Uint8Array | undefined;

  constructor(last: Checkpoint | undefined, tiles: TileWriter) {
    this.#size = last?.size ?? -1;
    this.look(tiles);
  }

  look(tiles: TileWriter): void {
    if (tiles.size === this.#size) this.root = tiles.root;
  }
}

function replay(
  files: LogFiles,
  directory: string,
  segments: readonly number[],
  tiles: TileWriter,
  seen: RootAt,
): { readonly state: LogState; readonly torn: TornTail | undefined; readonly bytes: number } {
  const restored = restoreState(files, directory, segments);
  let { state } = restored;
  let torn: TornTail | undefined;
  let bytes = 0;
  segments.forEach((firstIndex, position) => {
    const isLast = position === segments.length - 1;
    const nextFirst = segments[position + 1] ?? Number.POSITIVE_INFINITY;
    // A segment whose leaves are in the tree and in the snapshot has nothing to tell.
    if (!isLast && nextFirst <= tiles.size && nextFirst <= state.nextIndex) return;
    if (firstIndex > Math.min(tiles.size, state.nextIndex)) {
      throw inconsistent(`leaves before ${firstIndex} are missing from the journal`);
    }
    const content = files.read(join(directory, segmentName(firstIndex)));
    checkSegmentHeader(content, firstIndex);
    const result = replaySegment(content, firstIndex, state, tiles, seen);
    state = result.state;
    if (result.torn !== undefined && !isLast) {
      throw inconsistent(`${segmentName(firstIndex)}: ${result.torn.reason} at byte ${result.torn.at}`);
    }
    torn = result.torn;
    bytes = result.end;
  });
  return { state, torn, bytes };
}

function replaySegment(
  content: Uint8Array,
  firstIndex: number,
  state: LogState,
  tiles: TileWriter,
  seen: RootAt,
): { readonly state: LogState; readonly torn: TornTail | undefined; readonly end: number } {
  let index = firstIndex;
  let end = SEGMENT_HEADER_BYTES;
  const records = readRecords(content.subarray(SEGMENT_HEADER_BYTES), SEGMENT_HEADER_BYTES);
  for (;;) {
    const step = records.next();
    if (step.done === true) return { state, torn: step.value, end };
    const { leaf } = step.value;
    ({ end } = step.value);
    if (index >= state.nextIndex) {
      const parsed = parseOwnLeaf(leaf, index);
      if (parsed.kind !== 'leaf') throw inconsistent(`leaf ${index} is of version ${parsed.v}`);
      state.apply(parsed.leaf, parseTimeUs(parsed.leaf.t));
    }
    if (index === tiles.size) {
      // The view dies with the segment's buffer; the bundle needs the bytes.
      tiles.push(leaf.slice());
      seen.look(tiles);
    }
    index += 1;
  }
}

function parseOwnLeaf(bytes: Uint8Array, index: number): ReturnType<typeof parseLeaf> {
  try {
    const parsed = parseLeaf(bytes);
    const { n } = parsed.kind === 'leaf' ? parsed.leaf : parsed;
    if (n !== index) throw inconsistent(`leaf ${n} at position ${index}`);
    return parsed;
  } catch (error) {
    throw inconsistent(`leaf ${index}: ${reasonOf(error)}`, error);
  }
}

/** The state at the beginning of the last segment, or at the beginning of the log. */
function restoreState(
  files: LogFiles,
  directory: string,
  segments: readonly number[],
): { readonly state: LogState } {
  const firstIndex = segments.at(-1);
  if (firstIndex === undefined || firstIndex === 0) return { state: new LogState() };
  const path = join(directory, snapshotName(firstIndex));
  if (!files.exists(path)) return { state: new LogState() };
  try {
    return { state: LogState.restore(readText(files, path), firstIndex) ?? new LogState() };
  } catch {
    // A snapshot only saves time: without it, all segments are read.
    return { state: new LogState() };
  }
}

export function snapshotName(firstIndex: number): string {
  return segmentName(firstIndex).replace('.seg', '.open');
}

function findRollback(
  last: Checkpoint | undefined,
  local: Checkpoint | undefined,
  journalSize: number,
  tiles: TileWriter,
  seen: RootAt,
): Rollback | undefined {
  // The journal is the truth: tiles may still hold the hashes of leaves that it has lost.
  const found = { foundSize: journalSize, foundRoot: tiles.root };
  if (last === undefined) {
    if (local === undefined) return undefined;
    const expected = { expectedSize: local.size, expectedRoot: local.root };
    return { reason: 'the second place has no checkpoint and the log has', ...expected, ...found };
  }
  const expected = { expectedSize: last.size, expectedRoot: last.root };
  if (journalSize < Math.max(last.size, local?.size ?? 0)) {
    return { reason: `${journalSize} leaves on disk, ${last.size} were signed`, ...expected, ...found };
  }
  if (local !== undefined && local.size > last.size) {
    return {
      reason: `the second place has size ${last.size}, the log has ${local.size}`,
      ...expected,
      ...found,
    };
  }
  if (seen.root === undefined || !equalBytes(seen.root, last.root)) {
    return { reason: `another root at size ${last.size}`, ...expected, ...found };
  }
  return undefined;
}

function cutTail(files: LogFiles, path: string, torn: TornTail, bytes: number, recordsKept: number): Cut {
  const descriptor = files.update(path);
  try {
    const bytesFound = files.length(path);
    files.truncate(descriptor, bytes);
    files.datasync(descriptor);
    return {
      segment: path.slice(path.lastIndexOf('/') + 1),
      bytesCut: bytesFound - bytes,
      recordsKept,
      reason: torn.reason,
    };
  } finally {
    files.close(descriptor);
  }
}

function readText(files: LogFiles, path: string): string {
  return Buffer.from(files.read(path)).toString('utf8');
}

function inconsistent(reason: string, cause?: unknown): CountersignError {
  return new CountersignError('LEDGER_INCONSISTENT', { reason }, { cause });
}
