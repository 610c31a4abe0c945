/**
 * What is left of a damaged journal, once an operator has accepted that it is not the log that was
 * signed: the leaves from the first one up to the first that is missing or broken. Nothing is deleted:
 * what lies behind is set aside under another name, for whoever wants to look at it.
 */

import { join } from 'node:path';
import { CountersignError, reasonOf } from '../core/errors.ts';
import type { LogFiles } from './file-port.ts';
import { replaceFile } from './files.ts';
import {
  checkSegmentHeader,
  readRecords,
  SEGMENT_HEADER_BYTES,
  segmentName,
  type TornTail,
} from './journal.ts';
import { LogState } from './log-state.ts';
import { parseOwnLeaf } from './own-leaf.ts';
import { TileWriter } from './tile-writer.ts';

const SET_ASIDE = '.set-aside';

export interface Salvaged {
  readonly state: LogState;
  readonly tiles: TileWriter;
  /** The last segment that is used, and its length; undefined where nothing could be used. */
  readonly segment: { readonly firstIndex: number; readonly bytes: number } | undefined;
  /** Why reading that segment stopped before its end. */
  readonly torn: TornTail | undefined;
}

/** @param segments first indexes, in order */
export function salvage(files: LogFiles, directory: string, segments: readonly number[]): Salvaged {
  const journal = join(directory, 'journal');
  const state = new LogState();
  const tiles = TileWriter.empty(files, directory);
  let used: Salvaged['segment'];
  let torn: TornTail | undefined;
  for (const firstIndex of segments) {
    const path = join(journal, segmentName(firstIndex));
    const content = files.read(path);
    if (torn !== undefined || !follows(content, firstIndex, state)) {
      files.rename(path, `${path}${SET_ASIDE}`);
      continue;
    }
    const taken = takeSegment(content, state, tiles);
    ({ torn } = taken);
    used = { firstIndex, bytes: taken.bytes };
    if (torn !== undefined) replaceFile(files, `${path}${SET_ASIDE}`, content.subarray(torn.at), true);
  }
  files.syncDirectory(journal);
  return { state, tiles, segment: used, torn };
}

function follows(content: Uint8Array, firstIndex: number, state: LogState): boolean {
  if (firstIndex !== state.nextIndex) return false;
  try {
    checkSegmentHeader(content, firstIndex);
    return true;
  } catch (error) {
    if (error instanceof CountersignError) return false;
    throw error;
  }
}

/** Takes its leaves up to the first that is not one. */
function takeSegment(
  content: Uint8Array,
  state: LogState,
  tiles: TileWriter,
): { readonly torn: TornTail | undefined; readonly bytes: number } {
  const records = readRecords(content.subarray(SEGMENT_HEADER_BYTES), SEGMENT_HEADER_BYTES);
  let at = SEGMENT_HEADER_BYTES;
  for (;;) {
    const step = records.next();
    if (step.done === true) return { torn: step.value, bytes: at };
    const { leaf, end } = step.value;
    try {
      state.applyLeaf(parseOwnLeaf(leaf, state.nextIndex));
    } catch (error) {
      return { torn: { at, reason: reasonOf(error) }, bytes: at };
    }
    tiles.push(leaf.slice());
    at = end;
  }
}
