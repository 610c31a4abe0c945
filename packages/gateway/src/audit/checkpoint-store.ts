/**
 * The second place: the last signed checkpoint, kept apart from the log, replaced by compare-and-swap.
 *
 * A log that was restored from a snapshot is smaller than what stands here, and two writers of one log
 * cannot both replace it.
 */

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LOG_FILES } from './file-port.ts';

export interface CheckpointStore {
  /** The last checkpoint of a log, as a signed note. */
  read(origin: string): string | undefined;
  /** Replaces `expected` by `next`, durably; false where something else stands there. */
  swap(origin: string, expected: string | undefined, next: string): boolean;
  close(): void;
}

/** A second place in a directory, which should be another disk. */
export function fileCheckpointStore(directory: string): CheckpointStore {
  LOG_FILES.makeDirectory(directory);
  const database = new DatabaseSync(join(directory, 'checkpoints.sqlite'), { timeout: 5_000 });
  database.exec(
    `PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;
     CREATE TABLE IF NOT EXISTS checkpoint (origin TEXT PRIMARY KEY, note TEXT NOT NULL) STRICT`,
  );
  const select = database.prepare('SELECT note FROM checkpoint WHERE origin = ?');
  const insert = database.prepare(
    'INSERT INTO checkpoint (origin, note) VALUES (?, ?) ON CONFLICT DO NOTHING',
  );
  const update = database.prepare('UPDATE checkpoint SET note = ? WHERE origin = ? AND note = ?');
  return {
    read(origin): string | undefined {
      const note = select.get(origin)?.['note'];
      return typeof note === 'string' ? note : undefined;
    },
    swap(origin, expected, next): boolean {
      const { changes } =
        expected === undefined ? insert.run(origin, next) : update.run(next, origin, expected);
      return Number(changes) === 1;
    },
    close: () => database.close(),
  };
}
