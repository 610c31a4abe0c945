/**
 * One process per log: an exclusive lock that the kernel releases when its holder dies.
 *
 * SQLite's own locking is used because Node offers no file locks and lock files outlive crashes.
 */

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { CountersignError, reasonOf } from '../core/errors.ts';

/** https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;

export interface LogLock {
  release(): void;
}

/** LEDGER_LOCKED where another process holds it. */
export function lockLog(directory: string): LogLock {
  const database = new DatabaseSync(join(directory, 'lock'), { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = DELETE; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    const locked = error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
    if (locked) throw new CountersignError('LEDGER_LOCKED', { directory }, { cause: error });
    throw new CountersignError('LEDGER_HALTED', { reason: reasonOf(error) }, { cause: error });
  }
  return {
    release(): void {
      if (database.isOpen) database.close();
    },
  };
}
