/**
 * Opening a log that was written before: journal, tree, and the checkpoint in the second place.
 *
 * Spec: spec/ledger.md, sections 5 and 9. Nothing on disk is changed before everything was read and
 * found consistent; then a torn tail is cut.
 */

import { join } from 'node:path';
import { equalBytes } from '@countersign/ledger/bytes';
import { type Checkpoint, parseCheckpoint } from '@countersign/ledger/checkpoint';
import { emptyRoot } from '@countersign/ledger/merkle';
import { CountersignError } from '../core/errors.ts';
import { repairHistory } from './checkpoint-history.ts';
import type { LogFiles } from './file-port.ts';
import {
  checkSegmentHeader,
  firstIndexOf,
  readRecords,
  SEGMENT_HEADER_BYTES,
  segmentHeader,
  segmentName,
  type TornTail,
} from './journal.ts';
import { LogState } from './log-state.ts';
import { inconsistent, parseOwnLeaf } from './own-leaf.ts';
import { salvage } from './salvage.ts';
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
  const examined = examine(files, directory, last, accepted);
  const { segments, unborn, rollback } = examined;
  if (rollback !== undefined && !accepted) return { ...examined, cut: undefined };
  // Nothing on disk was changed up to here.
  if (unborn !== undefined) files.remove(unborn);
  const usable =
    rollback === undefined ? examined : { ...salvage(files, directory, segments), unsignedAt: 0 };
  const { state, tiles, segment, torn, unsignedAt } = usable;
  let cut: Cut | undefined;
  if (segment !== undefined) {
    const path = join(directory, 'journal', segmentName(segment.firstIndex));
    if (torn !== undefined) cut = cutTail(files, path, torn, segment, state.nextIndex);
    writeAgain(files, path, unsignedAt);
    files.syncDirectory(join(directory, 'journal'));
  }
  repairHistory(files, directory);
  return { state, tiles, segment, cut, rollback };
}

interface Examined extends Omit<OpenedLog, 'cut'>, Pick<Replayed, 'torn' | 'unsignedAt'> {
  readonly segments: readonly number[];
  readonly unborn: string | undefined;
}

/**
 * Reads everything and changes nothing; throws where the journal is damaged, unless that is accepted,
 * when it is a rollback like another.
 */
function examine(
  files: LogFiles,
  directory: string,
  last: Checkpoint | undefined,
  accepted: boolean,
): Examined {
  const journal = join(directory, 'journal');
  const { segments, unborn } = usableSegments(files, journal);
  const { local, broken } = readLocalCheckpoint(files, directory);
  const signedSize = Math.max(last?.size ?? 0, local?.size ?? 0);
  const roots = new Roots([last, local]);
  let tiles = TileWriter.open(files, directory, local?.size ?? 0);
  try {
    let replayed = replay(files, journal, segments, tiles, roots, signedSize);
    if (tiles.from > 0 && !roots.has(local)) {
      // These are not the tiles of this journal, whose own leaves decide.
      tiles = TileWriter.empty(files, directory);
      replayed = replay(files, journal, segments, tiles, roots, signedSize);
    }
    const { state, torn, bytes, unsignedAt } = replayed;
    const rollback = findRollback(last, local, broken, state.nextIndex, roots);
    if (rollback === undefined && state.nextIndex !== tiles.size) {
      throw inconsistent(`the journal has ${state.nextIndex} leaves and the tree ${tiles.size}`);
    }
    const firstIndex = segments.at(-1);
    const segment = firstIndex === undefined ? undefined : { firstIndex, bytes };
    return { segments, unborn, state, tiles, segment, torn, unsignedAt, rollback };
  } catch (error) {
    if (!accepted || !(error instanceof CountersignError)) throw error;
    const expected = last ?? local;
    const rollback = {
      reason: error.message,
      expectedSize: expected?.size ?? 0,
      expectedRoot: expected?.root ?? emptyRoot(),
    };
    const state = new LogState();
    return { segments, unborn, state, tiles, segment: undefined, torn: undefined, unsignedAt: 0, rollback };
  }
}

/** First indexes of the segments, in order. */
function listSegments(files: LogFiles, directory: string): number[] {
  return files
    .list(directory)
    .map(firstIndexOf)
    .filter((index) => index !== undefined)
    .toSorted((a, b) => a - b);
}

/** All but a last segment that a crash left before its header was on disk: it never held a leaf. */
function usableSegments(
  files: LogFiles,
  directory: string,
): { readonly segments: readonly number[]; readonly unborn: string | undefined } {
  const segments = listSegments(files, directory);
  const last = segments.at(-1);
  if (last === undefined) return { segments, unborn: undefined };
  const path = join(directory, segmentName(last));
  const content = files.read(path);
  const hasHeader = Buffer.compare(content.subarray(0, SEGMENT_HEADER_BYTES), segmentHeader(last)) === 0;
  // The header is synced before the first record is written: with a whole record it was damaged later.
  if (hasHeader || holdsRecord(content.subarray(SEGMENT_HEADER_BYTES)))
    return { segments, unborn: undefined };
  return { segments: segments.slice(0, -1), unborn: path };
}

function holdsRecord(content: Uint8Array): boolean {
  return readRecords(content, SEGMENT_HEADER_BYTES).next().done !== true;
}

function readLocalCheckpoint(
  files: LogFiles,
  directory: string,
): { readonly local: Checkpoint | undefined; readonly broken: boolean } {
  const path = join(directory, 'checkpoint');
  if (!files.exists(path)) return { local: undefined, broken: false };
  try {
    return { local: parseCheckpoint(readText(files, path)), broken: false };
  } catch {
    // It is replaced as a whole: a disk that keeps its word cannot leave half of it.
    return { local: undefined, broken: true };
  }
}

/** The roots that the replayed tree had at the sizes of signed checkpoints. */
class Roots {
  readonly #bySize = new Map<number, Uint8Array | undefined>();

  constructor(checkpoints: readonly (Checkpoint | undefined)[]) {
    for (const checkpoint of checkpoints)
      if (checkpoint !== undefined) this.#bySize.set(checkpoint.size, undefined);
  }

  look(tiles: TileWriter): void {
    if (this.#bySize.has(tiles.size)) this.#bySize.set(tiles.size, tiles.root);
  }

  /** Whether the tree went through this checkpoint. */
  has(checkpoint: Checkpoint | undefined): boolean {
    if (checkpoint === undefined) return true;
    const root = this.#bySize.get(checkpoint.size);
    return root !== undefined && equalBytes(root, checkpoint.root);
  }
}

interface Replayed {
  readonly state: LogState;
  readonly torn: TornTail | undefined;
  /** Length of the last segment without its torn tail, */
  readonly bytes: number;
  /** and where its first record is that no checkpoint covers. */
  readonly unsignedAt: number;
}

function replay(
  files: LogFiles,
  directory: string,
  segments: readonly number[],
  tiles: TileWriter,
  roots: Roots,
  signedSize: number,
): Replayed {
  let { state } = restoreState(files, directory, segments);
  let torn: TornTail | undefined;
  let bytes = 0;
  let unsignedAt = 0;
  roots.look(tiles);
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
    const result = replaySegment(content, firstIndex, state, tiles, roots, signedSize);
    ({ state, torn, unsignedAt, bytes } = result);
    if (torn !== undefined && !isLast) {
      throw inconsistent(`${segmentName(firstIndex)}: ${torn.reason} at byte ${torn.at}`);
    }
  });
  return { state, torn, bytes, unsignedAt };
}

function replaySegment(
  content: Uint8Array,
  firstIndex: number,
  state: LogState,
  tiles: TileWriter,
  roots: Roots,
  signedSize: number,
): Replayed {
  let index = firstIndex;
  // Where nothing of it was signed, not even its header is known to be on disk.
  let unsignedAt = 0;
  let bytes = SEGMENT_HEADER_BYTES;
  const records = readRecords(content.subarray(SEGMENT_HEADER_BYTES), SEGMENT_HEADER_BYTES);
  for (;;) {
    const step = records.next();
    if (step.done === true) return { state, torn: step.value, bytes, unsignedAt };
    const { leaf, end } = step.value;
    bytes = end;
    if (index >= state.nextIndex) {
      state.applyLeaf(parseOwnLeaf(leaf, index));
    }
    if (index === tiles.size) {
      // The view dies with the segment's buffer; the bundle needs the bytes.
      tiles.push(leaf.slice());
      roots.look(tiles);
    }
    index += 1;
    if (index <= signedSize) unsignedAt = end;
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

const NOTHING = { expectedSize: 0, expectedRoot: emptyRoot() } as const;

function findRollback(
  last: Checkpoint | undefined,
  local: Checkpoint | undefined,
  broken: boolean,
  journalSize: number,
  roots: Roots,
): Rollback | undefined {
  if (last === undefined) {
    if (broken) {
      return {
        reason: 'the second place has no checkpoint, and that of the log is broken',
        ...NOTHING,
      };
    }
    if (local === undefined) return undefined;
    const expected = { expectedSize: local.size, expectedRoot: local.root };
    return { reason: 'the second place has no checkpoint and the log has', ...expected };
  }
  const expected = { expectedSize: last.size, expectedRoot: last.root };
  if (journalSize < Math.max(last.size, local?.size ?? 0)) {
    return { reason: `${journalSize} leaves on disk, ${last.size} were signed`, ...expected };
  }
  if (local !== undefined && local.size > last.size) {
    return {
      reason: `the second place has size ${last.size}, the log has ${local.size}`,
      ...expected,
    };
  }
  if (!roots.has(last)) {
    return { reason: `another root at size ${last.size}`, ...expected };
  }
  return undefined;
}

/**
 * Writes the records that no checkpoint covers again. After an error of the disk the system holds bytes
 * in memory that never came to the disk, and takes them for clean: what was read must be on disk before
 * leaves are put behind it.
 */
function writeAgain(files: LogFiles, path: string, from: number): void {
  const bytes = files.read(path).subarray(from);
  if (bytes.length === 0) return;
  const descriptor = files.update(path);
  try {
    let at = 0;
    while (at < bytes.length) at += files.write(descriptor, bytes.subarray(at), from + at);
    files.datasync(descriptor);
  } finally {
    files.close(descriptor);
  }
}

function cutTail(
  files: LogFiles,
  path: string,
  torn: TornTail,
  { firstIndex, bytes }: NonNullable<OpenedLog['segment']>,
  nextIndex: number,
): Cut {
  const descriptor = files.update(path);
  try {
    const bytesFound = files.length(path);
    files.truncate(descriptor, bytes);
    files.datasync(descriptor);
    return {
      segment: path.slice(path.lastIndexOf('/') + 1),
      bytesCut: bytesFound - bytes,
      recordsKept: nextIndex - firstIndex,
      reason: torn.reason,
    };
  } finally {
    files.close(descriptor);
  }
}

function readText(files: LogFiles, path: string): string {
  return Buffer.from(files.read(path)).toString('utf8');
}
