/**
 * After a crash: what the segments are whose leaves were never written.
 *
 * Spec: spec/recording.md, section 4. Nothing on disk is changed. The caller knows from the ledger
 * which sessions were open and how many leaves each has.
 */

import { readdir } from 'node:fs/promises';
import { parseId, type SessionId } from '../core/ids.ts';
import { isMissing } from './files.ts';
import { type SealedBlock, SegmentFile } from './segment-file.ts';
import { isInvalid, openBlock, readEntries, recordingKey } from './segment-format.ts';

/** A segment as found; what only its content tells is absent where the key is gone or nothing is readable. */
export interface RecoveredSegment {
  readonly sessionId: SessionId;
  readonly number: number;
  readonly sha256: string;
  readonly bytes: number;
  /** Whole blocks. */
  readonly blocks: number;
  readonly plainBytes?: number;
  readonly firstUs?: number;
  readonly lastUs?: number;
  readonly status: 'ok' | 'truncated';
}

export interface InterruptedSession {
  readonly sessionId: SessionId;
  /** Segments that have a leaf already; those from this number on are given. */
  readonly segmentsKnown: number;
  /** Key of the session's scope, where it still exists. */
  readonly scopeKey?: Uint8Array;
}

/** The segments without a leaf, in their order, session by session. Throws RECORDING_INVALID. */
export async function* recoverSegments(
  directory: string,
  sessions: Iterable<InterruptedSession>,
): AsyncGenerator<RecoveredSegment, void> {
  for (const session of sessions) {
    for (let number = session.segmentsKnown; ; number++) {
      await using file = await SegmentFile.open(directory, session.sessionId, number, true);
      if (file === undefined) break;
      yield await recover(session, file);
    }
  }
}

/** Every session that has a directory, whether the ledger knows it or not. */
export async function recordedSessions(directory: string): Promise<SessionId[]> {
  try {
    const names = await readdir(directory);
    return names.filter((name) => name.startsWith('ses_')).map((name) => parseId('session', name));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function recover(session: InterruptedSession, file: SegmentFile): Promise<RecoveredSegment> {
  const { sessionId, scopeKey } = session;
  const key = scopeKey === undefined ? undefined : recordingKey(scopeKey);
  const found = { plainBytes: 0, blocks: 0, lastUs: file.header?.startUs };
  let whole = false;
  try {
    for (;;) {
      const block = await file.next();
      if (block === undefined) break;
      if (key !== undefined) readBlock(key, block, file.headerSha256, sessionId, found);
      found.blocks += 1;
    }
    whole = file.ended;
  } catch (error) {
    // After a loss of power the end of a file may be anything; what stands before it is what is left.
    if (!isInvalid(error)) throw error;
    await file.drain();
  }
  key?.fill(0);
  return {
    sessionId,
    number: file.number,
    sha256: Buffer.from(file.digest()).toString('hex'),
    bytes: file.bytes,
    blocks: found.blocks,
    ...(key === undefined ? {} : { plainBytes: found.plainBytes }),
    ...(file.header === undefined ? {} : { firstUs: file.header.startUs }),
    ...(key === undefined || found.lastUs === undefined ? {} : { lastUs: found.lastUs }),
    status: whole ? 'ok' : 'truncated',
  };
}

function readBlock(
  key: Uint8Array,
  block: SealedBlock,
  headerSha256: Uint8Array,
  session: string,
  found: { plainBytes: number; lastUs: number | undefined },
): void {
  const { number, last, sealed } = block;
  const plain = openBlock(key, sealed, { headerSha256, number, last }, session);
  found.plainBytes += plain.length;
  for (const entry of readEntries(plain, session)) found.lastUs = entry.timeUs;
}
