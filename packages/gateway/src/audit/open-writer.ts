/**
 * What a start does with a log: look at the second place, recover, write the leaves of a start, sign.
 *
 * Apart from the thread, so that a start can be run on a disk that breaks at any of its operations.
 */

import { dirname, join } from 'node:path';
import { toBase64 } from '@countersign/ledger/bytes';
import { formatVerifierKey } from '@countersign/ledger/note';
import type { Clock } from '../core/clock.ts';
import { CountersignError, reasonOf } from '../core/errors.ts';
import type { LedgerEvent } from '../core/ledger-port.ts';
import { signingKeyOf } from '../keys/signing-key.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import type { LogFiles } from './file-port.ts';
import { LogWriter } from './log-writer.ts';
import type { InterruptedSession } from './log-state.ts';
import { type Cut, openLog, type Rollback } from './recovery.ts';
import type { WriterData } from './writer-messages.ts';

/** What a writer stands on. */
export interface Machine {
  readonly files: LogFiles;
  readonly secondPlace: CheckpointStore;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
}

export interface OpenedWriter {
  readonly writer: LogWriter;
  /** Sessions that were open when the process before this one ended. */
  readonly interrupted: readonly InterruptedSession[];
  /** Leaves `ledger.shred` of the process before this one, whose keys may still be there. */
  readonly shreds: readonly number[];
  readonly cut: Cut | undefined;
  /** The checkpoint over the leaves of this start. */
  readonly note: string;
}

/**
 * Opens the log for writing; throws LEDGER_INCONSISTENT where it may not be signed, LEDGER_HALTED where
 * the disk does not let it be written.
 */
export function openWriter(data: WriterData, machine: Machine): OpenedWriter {
  try {
    return open(data, machine);
  } catch (error) {
    if (error instanceof CountersignError) throw error;
    throw new CountersignError('LEDGER_HALTED', { reason: reasonOf(error) }, { cause: error });
  }
}

function open(data: WriterData, machine: Machine): OpenedWriter {
  const { directory, origin, bootId } = data;
  const { files, secondPlace, clock, randomBytes } = machine;
  files.makeDirectory(join(directory, 'journal'));
  // A file is there after a crash when its name is, and the names of the directories above it.
  files.syncDirectory(directory);
  files.syncDirectory(dirname(directory));
  const lastNote = secondPlace.read(origin);
  const opened = openLog(files, directory, lastNote, data.acceptRollback !== undefined);
  if (opened.rollback !== undefined && data.acceptRollback === undefined) {
    throw new CountersignError('LEDGER_INCONSISTENT', { reason: opened.rollback.reason });
  }
  const interrupted = opened.state.interrupted();
  const shreds = [...opened.state.shreds];
  const { segmentBytesMax, ballastBytes } = data;
  const key = signingKeyOf(data.signingSeed);
  const writer = new LogWriter(
    { files, directory, origin, bootId, key, secondPlace, segmentBytesMax, ballastBytes, clock, randomBytes },
    opened,
    lastNote,
  );
  writer.openScope(bootId, data.bootKey);
  stageStart(data, writer, opened.cut, opened.rollback);
  writer.commit();
  const note = writer.checkpoint(true);
  return { writer, interrupted, shreds, cut: opened.cut, note };
}

/** The leaves that a start writes: who starts on what, and what it found. */
function stageStart(
  data: WriterData,
  writer: LogWriter,
  cut: Cut | undefined,
  rollback: Rollback | undefined,
): void {
  const { origin, node, software, acceptRollback } = data;
  const stage = (type: string, body: NonNullable<LedgerEvent['body']>): void => {
    writer.stage({ type, kind: 'system', keyId: data.bootId, body });
  };
  if (writer.state.nextIndex === 0) {
    const vkey = formatVerifierKey(writer.verifierKey);
    stage('ledger.genesis', { spec: 'ledger/1', origin, vkey, software, node });
  }
  if (rollback !== undefined && acceptRollback !== undefined) {
    stage('ledger.rollback', {
      expected_size: rollback.expectedSize,
      expected_root: toBase64(rollback.expectedRoot),
      found_size: writer.size,
      found_root: toBase64(writer.root),
      reason: acceptRollback.reason,
      requested_by: acceptRollback.requestedBy,
    });
  }
  const platform = `${process.platform}-${process.arch} node ${process.versions.node}`;
  stage('ledger.boot', { software, node, platform });
  if (cut !== undefined) {
    const { segment, bytesCut, recordsKept, reason } = cut;
    stage('ledger.recovered', { segment, bytes_cut: bytesCut, records_kept: recordsKept, reason });
  }
}
