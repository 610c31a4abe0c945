/**
 * Reads a recording back: verified block by block, in bounded memory.
 *
 * Spec: spec/recording.md, sections 2 to 5. Every entry that is given out was authenticated under the
 * session's key before; the digests of whole segments are checked as their ends are reached.
 */

import { giveBack, giveBackWhole } from '../core/give-back.ts';
import type { SessionId } from '../core/ids.ts';
import { SegmentFile } from './segment-file.ts';
import {
  CHANNEL,
  invalid,
  isInvalid,
  NO_PREVIOUS,
  openBlock,
  type RawEntry,
  readEntries,
  recordingKey,
} from './segment-format.ts';

/** Where in the recording. */
interface Place {
  readonly segment: number;
  readonly block: number;
}

/** One thing that a recording holds, in the order in which it happened. */
export type RecordedEntry =
  | (Place & {
      readonly kind: 'bytes';
      readonly timeUs: number;
      readonly channel: 0 | 1 | 2 | 3;
      /** Valid until the next entry is asked for. */
      readonly bytes: Uint8Array;
    })
  /** What the client sent, sealed once more: only who was granted its literals reads it. */
  | (Place & { readonly kind: 'sealed'; readonly timeUs: number; readonly bytes: Uint8Array })
  | (Place & { readonly kind: 'event'; readonly timeUs: number; readonly json: string })
  | (Place & {
      readonly kind: 'unknown channel';
      readonly timeUs: number;
      readonly channel: number;
      readonly length: number;
    })
  /** The recording ends here because the gateway stopped; `block` blocks could be read. */
  | (Place & { readonly kind: 'truncated' });

export interface ReadRecordingOptions {
  readonly directory: string;
  readonly sessionId: SessionId;
  readonly scopeKey: Uint8Array;
  /** By segment number, from the leaves: a segment that differs, or is missing, is an error. */
  readonly expected?: ReadonlyMap<number, ExpectedSegment>;
  /** How many segments are read, where more may be there: a session that goes on writes them. */
  readonly segmentsMax?: number;
}

/** What a leaf `recording.segment` states. */
export interface ExpectedSegment {
  /** Hex. */
  readonly sha256: string;
  /** Where it is `truncated`, the first block that cannot be read is the end; otherwise it is an error. */
  readonly status: 'ok' | 'truncated';
}

/** The entries of a session; throws RECORDING_INVALID where the files are not what was written. */
export async function* readRecording(options: ReadRecordingOptions): AsyncGenerator<RecordedEntry, void> {
  const { directory, sessionId, expected, segmentsMax = Number.POSITIVE_INFINITY } = options;
  const key = recordingKey(options.scopeKey);
  let previous: Uint8Array = NO_PREVIOUS;
  let truncated: Place | undefined;
  let number = 0;
  try {
    for (; number < segmentsMax; number++) {
      const torn = expected?.get(number)?.status === 'truncated';
      await using file = await SegmentFile.open(directory, sessionId, number, torn);
      if (file === undefined) break;
      if (truncated !== undefined) {
        throw invalid(sessionId, `segment ${truncated.segment} is cut off and is not the newest`);
      }
      checkChain(file, previous, sessionId);
      const blocks = yield* readSegment(file, key, sessionId, torn);
      previous = file.digest();
      checkExpected(expected, number, previous, sessionId);
      if (!file.ended || torn) truncated = { segment: number, block: blocks };
    }
  } finally {
    key.fill(0);
  }
  for (const missing of expected?.keys() ?? []) {
    if (missing >= number) throw invalid(sessionId, `segment ${missing} is missing`);
  }
  if (truncated !== undefined) yield { kind: 'truncated', ...truncated };
}

function checkChain(file: SegmentFile, previous: Uint8Array, session: string): void {
  if (file.header !== undefined && Buffer.compare(file.header.previous, previous) !== 0) {
    throw invalid(session, `segment ${file.number} does not follow the one before it`);
  }
}

function checkExpected(
  expected: ReadonlyMap<number, ExpectedSegment> | undefined,
  number: number,
  digest: Uint8Array,
  session: string,
): void {
  const wanted = expected?.get(number)?.sha256;
  if (wanted !== undefined && wanted !== Buffer.from(digest).toString('hex')) {
    throw invalid(session, `segment ${number} does not have the SHA-256 of its leaf`);
  }
}

/** Returns how many blocks could be read. */
async function* readSegment(
  file: SegmentFile,
  key: Uint8Array,
  session: string,
  torn: boolean,
): AsyncGenerator<RecordedEntry, number> {
  for (let blocks = 0; ; blocks++) {
    let plain: Uint8Array;
    try {
      const block = await file.next();
      if (block === undefined) return blocks;
      const { number, last, sealed } = block;
      plain = openBlock(key, sealed, { headerSha256: file.headerSha256, number, last }, session);
      giveBack(sealed);
    } catch (error) {
      if (!torn || !isInvalid(error)) throw error;
      await file.drain();
      return blocks;
    }
    const place = { segment: file.number, block: blocks };
    for (const entry of readEntries(plain, session)) yield understood(entry, place);
    giveBackWhole(plain);
  }
}

function understood(entry: RawEntry, place: Place): RecordedEntry {
  const { timeUs, channel, bytes } = entry;
  if (channel === 0 || channel === 1 || channel === 2 || channel === 3) {
    return { kind: 'bytes', ...place, timeUs, channel, bytes };
  }
  if (channel === CHANNEL.sealed) return { kind: 'sealed', ...place, timeUs, bytes };
  if (channel === CHANNEL.event) {
    return { kind: 'event', ...place, timeUs, json: Buffer.from(bytes).toString('utf8') };
  }
  return { kind: 'unknown channel', ...place, timeUs, channel, length: bytes.length };
}
